// A SpikingCore fed as fast as it takes words (sim/spiking/core.py).
#include "Vspikes.h"

namespace {

constexpr int PATIENCE = 1000000;  // cycles without a word in or an answer out

struct Simulation {
    VerilatedContext context;
    Vspikes top{&context};
    uint64_t cycles = 0;

    void cycle() {
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
        cycles++;
    }
};

// Numbers from a 32-bit Galois LFSR.
struct Noise {
    uint32_t state;
    bool coin() { return (state = (state >> 1) ^ (-(state & 1u) & 0xA3000000u)) & 1; }
};

}  // namespace

extern "C" {

Simulation* spikes_new() { return new Simulation; }

void spikes_delete(Simulation* s) { delete s; }

uint64_t spikes_cycles(const Simulation* s) { return s->cycles; }

// One word of an image a cycle, then time for the last ones to hop along.
void spikes_load(Simulation* s, const uint32_t* pairs, int64_t count, int hops) {
    for (int64_t n = 0; n < count; n++) {
        s->top.params_en = 1;
        s->top.params_bank = pairs[2 * n] >> 16 & 0xFFF;
        s->top.params_addr = pairs[2 * n] & 0x3FFF;
        s->top.params_data = pairs[2 * n + 1];
        s->cycle();
    }
    s->top.params_en = 0;
    while (hops-- > 0) s->cycle();
}

// Input words -> `answers` answers; `taken`: the cycle in which the last word of each image went in. Tokens of hidden layer 0 go to `seen`
// (up to `room`; kind in bits 17..16): their number comes back, or -1 where nothing moves any more. With `stalls` words
// come, and answers are taken, in every other cycle at random.
int64_t spikes_run(Simulation* s, const uint32_t* words, int64_t count, int32_t* y, uint64_t* taken, int64_t answers,
                   uint32_t* seen, int64_t room, uint32_t stalls) {
    Noise noise{stalls | 1};
    int64_t sent = 0, found = 0, tokens = 0, images = 0;
    uint64_t last = s->cycles;
    bool offered = false;
    int64_t ended = 0;  // images that have left the first layer
    // the last word is taken only when the engine has cleared
    while (sent < count || found < answers || (room && ended < answers)) {
        // a word that was offered stays until it is taken
        offered = sent < count && (offered || !stalls || noise.coin());
        s->top.i_valid = offered;
        s->top.i_payload = offered ? words[sent] : 0;
        s->top.o_ready = found < answers && (!stalls || noise.coin());
        s->top.clk = 0;
        s->top.eval();
        const bool in = offered && s->top.i_ready, out = s->top.o_valid && s->top.o_ready;
        if (in && words[sent] >> 17 & 1) taken[images++] = s->cycles;
        if (out) y[found++] = s->top.o_payload & 0x1FFFF;
#ifdef SEEN
        if (tokens < room && (s->top.seen_0 & 1)) {
            const uint32_t kind = s->top.seen_0 >> 1 & 3, source = s->top.seen_0 >> 3 & 0xFFFF;
            seen[tokens++] = kind << 16 | (kind ? 0 : source);
            ended += kind == 2;
        }
#endif
        s->top.clk = 1;
        s->top.eval();
        s->cycles++;
        if (in) sent++, offered = false;
        if (in || out) last = s->cycles;
        if (s->cycles - last > PATIENCE) {
            tokens = -1;
            break;
        }
    }
    // cycles of a load must find nothing to take, and nobody who takes
    s->top.i_valid = s->top.o_ready = 0;
    return tokens;
}

}  // extern "C"
