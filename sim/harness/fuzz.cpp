// The bytes of a compiled HostLink (sim/harness/fuzz.py).
#include "Vlink.h"

namespace {

constexpr int64_t PATIENCE = 1000000;  // cycles without an end

struct Link {
    VerilatedContext context;
    Vlink top{&context};

    bool cycle(uint8_t& byte) {
        top.clk = 0;
        top.eval();
        bool valid = top.o_valid;
        byte = uint8_t(top.o_payload);
        top.clk = 1;
        top.eval();
        return valid;
    }
};

}  // namespace

extern "C" {

Link* link_new() {
    Link* link = new Link;
    link->top.o_ready = 1;
    link->top.i_valid = 0;
    return link;
}

// A byte every `pace` cycles, then clock until nothing has come for `quiet` cycles; the bytes that came go to `found`.
// Their number, or -1 where it goes on for ever.
int64_t link_chunk(Link* link, const uint8_t* data, int64_t length, int64_t pace, int64_t quiet, uint8_t* found,
                   int64_t capacity) {
    int64_t came = 0, silent = 0;
    for (int64_t n = 0; n < length * pace || silent < quiet; n++) {
        bool sends = n < length * pace && n % pace == 0;
        link->top.i_valid = sends;
        if (sends) link->top.i_payload = data[n / pace];
        uint8_t byte;
        bool valid = link->cycle(byte);
        silent = valid || n < length * pace ? 0 : silent + 1;
        if (valid) {
            if (came == capacity) return -1;
            found[came++] = byte;
        }
        if (n > length * pace + PATIENCE) return -1;
    }
    return came;
}

}  // extern "C"
