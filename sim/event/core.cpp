// An EventCore fed as fast as it takes words (sim/event/core.py).
#include "Vevents.h"

namespace {

constexpr int PATIENCE = 4000000;  // cycles without a word in, an answer out or the end of a tick

struct Simulation {
    VerilatedContext context;
    Vevents top{&context};
    uint64_t cycles = 0;

    void cycle() {
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
        cycles++;
    }
};

}  // namespace

extern "C" {

Simulation* events_new() { return new Simulation; }

void events_delete(Simulation* s) { delete s; }

// One word of an image a cycle, then time for the last ones to hop along.
void events_load(Simulation* s, const uint32_t* pairs, int64_t count, int hops) {
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

// Input words (bit 31: the first of a sequence) -> `answers` words y; `done`: the cycle in which each of `ticks` was over.
// 0, or -1 where nothing moves any more.
int events_run(Simulation* s, const uint32_t* words, int64_t count, int32_t* y, int64_t answers, uint64_t* done,
               int64_t ticks) {
    int64_t sent = 0, found = 0, over = 0;
    uint64_t last = s->cycles;
    while (sent < count || found < answers || over < ticks) {
        s->top.i_valid = sent < count;
        s->top.i_payload = sent < count ? (words[sent] & 0x3FFFF) | words[sent] >> 31 << 18 : 0;
        s->top.o_ready = found < answers;
        s->top.clk = 0;
        s->top.eval();
        const bool in = s->top.i_valid && s->top.i_ready, out = s->top.o_valid && s->top.o_ready;
        if (out) y[found++] = s->top.o_payload & 0x3FFFF;
        if (s->top.tick && over < ticks) done[over++] = s->cycles;
        if (in || out || s->top.tick) last = s->cycles;
        s->top.clk = 1;
        s->top.eval();
        s->cycles++;
        if (in) sent++;
        if (s->cycles - last > PATIENCE) return -1;
    }
    s->top.i_valid = s->top.o_ready = 0;
    return 0;
}

}  // extern "C"
