// The host side of a NetworkTop, compiled with it: bus accesses and whole data sets without leaving C++ (sim/harness/device.py).
#include "Vtop.h"

namespace {

constexpr uint32_t INPUT = 0x100, OUTPUT = 0x101, VALID = 1u << 31, LAST = 1u << 30;
constexpr int PATIENCE = 1000000;  // cycles that the device may take for one access or one word
enum Status { OK = 0, SILENT = -1, BUS_ERROR = -2, FRAMING = -3 };

// Pauses of a slow partner, in cycles before each word. The generator is a 32-bit Galois LFSR.
struct Pauses {
    int pattern;  // 0 none, 1 random: half of the cycles, 2 bursts
    uint32_t state;
    int until_burst = 0;

    uint32_t next() { return state = (state >> 1) ^ (-(state & 1u) & 0xA3000000u); }

    int cycles() {
        if (pattern == 0) return 0;
        if (pattern == 1) {
            int n = 0;
            while (next() & 1) n++;
            return n;
        }
        if (until_burst-- > 0) return 0;
        until_burst = next() % 40;
        return next() % 1000;
    }
};

struct Simulation {
    VerilatedContext context;
    Vtop top{&context};
    uint64_t cycles = 0;

    void cycle() {
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
        cycles++;
    }

    void idle(int n) {
        while (n-- > 0) cycle();
    }

    // One access: the request holds until `ack`, then drops for a cycle.
    int access(bool write, uint32_t addr, uint32_t& data) {
        top.bus_addr = addr;
        top.bus_w_data = data;
        top.bus_write = write;
        top.bus_read = !write;
        int left = PATIENCE;
        do cycle(); while (!top.bus_ack && --left);
        data = top.bus_r_data;
        bool error = top.bus_error;
        top.bus_write = top.bus_read = 0;
        cycle();
        return !left ? SILENT : error ? BUS_ERROR : OK;
    }
};

}  // namespace

extern "C" {

Simulation* simulation_new() { return new Simulation; }

void simulation_delete(Simulation* s) { delete s; }

uint64_t simulation_cycles(const Simulation* s) { return s->cycles; }

void simulation_idle(Simulation* s, int cycles) { s->idle(cycles); }

int simulation_access(Simulation* s, int write, uint32_t addr, uint32_t* data) { return s->access(write, addr, *data); }

int simulation_write_pairs(Simulation* s, const uint32_t* pairs, int64_t count) {
    int status = OK;
    for (int64_t n = 0; n < count && status == OK; n++) {
        uint32_t data = pairs[2 * n + 1];
        status = s->access(true, pairs[2 * n], data);
    }
    return status;
}

// Input words with their flags -> y, `answers` a unit; unit k ends before word ends[k]. The device holds `buffered`
// units that were not read, those with one that waits for room; what is sent stays within that, so no write waits for ever.
int simulation_run(Simulation* s, const uint32_t* words, const int64_t* ends, int32_t* y, int64_t units, int answers,
                   int buffered, int stalls, int output_stalls, uint32_t seed) {
    const int64_t words_in = units ? ends[units - 1] : 0, words_out = units * answers;
    Pauses before_write{stalls, seed * 2 + 1}, before_read{output_stalls, seed * 2 + 0x40000001};
    int64_t sent = 0, received = 0, unit = 0;
    uint64_t last_word = s->cycles;
    while (received < words_out || sent < words_in) {
        uint32_t data;
        if (sent < words_in && unit - received / answers <= buffered) {
            s->idle(before_write.cycles());
            data = words[sent];
            if (int status = s->access(true, INPUT, data)) return status;
            if (++sent == ends[unit]) unit++;
            last_word = s->cycles;
        } else {
            s->idle(before_read.cycles());
            if (int status = s->access(false, OUTPUT, data)) return status;
            if (data & VALID) {
                if (bool(data & LAST) != (received % answers == answers - 1)) return FRAMING;
                y[received++] = int32_t(data << 14) >> 14;
                last_word = s->cycles;
            } else if (s->cycles - last_word > PATIENCE) {
                return SILENT;
            }
        }
    }
    return OK;
}

}  // extern "C"
