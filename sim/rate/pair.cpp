// The hosts of two boards, compiled with them: bus accesses of both, side by side, without leaving C++ (sim/rate/pair.py).
#include "Vpair.h"

namespace {

constexpr uint32_t INPUT = 0x100, OUTPUT = 0x101, VALID = 1u << 31;
constexpr int64_t PATIENCE = 4000000;  // cycles in which nothing happens
enum Status { OK = 0, SILENT = -1, BUS_ERROR = -2, LOST = -3 };

// One bus: a request holds until `ack`, then drops for a cycle.
struct Bus {
    bool active = false, write = false, dropped = false;
    uint32_t addr = 0, data = 0;

    void request(bool w, uint32_t a, uint32_t d) { active = true, write = w, addr = a, data = d; }
    bool idle() const { return !active && !dropped; }
};

struct Pair {
    VerilatedContext context;
    Vpair top{&context};
    uint64_t cycles = 0;
    Bus lower, upper;

    // A cycle; which accesses ended in it: bit 0 lower, bit 1 upper, bit 2 with an error.
    int cycle() {
#define DRIVE(bus) \
    top.bus##_addr = bus.addr, top.bus##_w_data = bus.data; \
    top.bus##_read = bus.active && !bus.write, top.bus##_write = bus.active && bus.write;
        DRIVE(lower)
        DRIVE(upper)
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
        cycles++;
        int ended = 0;
#define ANSWER(bus, bit) \
    bus.dropped = false; \
    if (bus.active && top.bus##_ack) { \
        bus.active = false, bus.dropped = true, bus.data = top.bus##_r_data; \
        ended |= bit | (top.bus##_error ? 4 : 0); \
    }
        ANSWER(lower, 1)
        ANSWER(upper, 2)
        return ended;
    }

    // Drop what a board has not answered, so that the next request is one of its own.
    void release() {
        lower.active = upper.active = false;
        cycle();
    }

    int access(bool is_upper, bool write, uint32_t addr, uint32_t& data) {
        Bus& bus = is_upper ? upper : lower;
        bus.request(write, addr, data);
        int64_t left = PATIENCE;
        int ended = 0;
        while (!(ended & 3) && left--) ended = cycle();
        data = bus.data;
        release();
        return !(ended & 3) ? SILENT : ended & 4 ? BUS_ERROR : OK;
    }
};

}  // namespace

extern "C" {

Pair* pair_new() { return new Pair; }

void pair_delete(Pair* p) { delete p; }

uint64_t pair_cycles(const Pair* p) { return p->cycles; }

void pair_idle(Pair* p, int64_t cycles) {
    while (cycles-- > 0) p->cycle();
}

void pair_latency(Pair* p, uint32_t latency) { p->top.latency = latency; }

int pair_access(Pair* p, int upper, int write, uint32_t addr, uint32_t* data) {
    return p->access(upper, write, addr, *data);
}

// Words of both boards with their flags, `inputs` and `targets` a tick -> y, `outputs` a tick; at[t], the cycle in which
// the first output of tick t was read. The upper board holds `buffered` ticks that were not read.
int pair_run(Pair* p, const uint32_t* x, const uint32_t* target, int32_t* y, uint64_t* at, int64_t ticks, int inputs,
             int targets, int outputs, int buffered) {
    const int64_t all_x = ticks * inputs, all_targets = ticks * targets, all_y = ticks * outputs;
    int64_t sent_x = 0, sent_targets = 0, received = 0;
    uint64_t last = p->cycles;
    const auto fail = [p](int status) {
        p->release();
        return status;
    };
    while (received < all_y) {
        if (p->lower.idle() && sent_x < all_x) p->lower.request(true, INPUT, x[sent_x]);
        if (p->upper.idle()) {
            // a read between two writes, so that neither waits for long; a write never waits for a read
            const bool room = sent_targets < all_targets && sent_targets / targets - received / outputs <= buffered;
            if (room && (sent_targets == 0 || p->upper.addr == OUTPUT))
                p->upper.request(true, INPUT, target[sent_targets]);
            else
                p->upper.request(false, OUTPUT, 0);
        }
        const int ended = p->cycle();
        if (ended & 4) return fail(BUS_ERROR);
        if (ended & 1) sent_x++;
        if (ended & 2 && p->upper.write) sent_targets++;
        if (ended & 2 && !p->upper.write && p->upper.data & VALID) {
            if (received % outputs == 0) at[received / outputs] = p->cycles;
            y[received++] = int32_t(p->upper.data << 14) >> 14;
            last = p->cycles;
        }
        if (int64_t(p->cycles - last) > PATIENCE) return fail(SILENT);
    }
    // the last access of a board may be under way
    for (int64_t left = PATIENCE; p->lower.active || p->upper.active || sent_x < all_x; left--) {
        if (!left) return fail(SILENT);
        if (p->lower.idle() && sent_x < all_x) p->lower.request(true, INPUT, x[sent_x]);
        if (p->cycle() & 1) sent_x++;
    }
    p->cycle();
    return p->top.overrun ? LOST : OK;
}

}  // extern "C"
