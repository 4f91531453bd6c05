// The wires of a simulated board: bytes in and out of a SerialTop's rx and tx pins, bit by bit (sim/harness/board.py).
// With FLASH its flash, too (sim/harness/flash.h).
#include "Vboard.h"

namespace {

struct Board {
    VerilatedContext context;
    Vboard top{&context};
    uint64_t cycles = 0;
    int divisor;
    // the sender: start bit, 8 data bits and stop bit in one word, least significant first
    uint32_t sending = 0;
    int bits_left = 0, bit_cycles = 0;
    // the receiver: cycles until the next sample, and the bits so far
    int sample_in = 0, bits_seen = 0;
    uint32_t seen = 0;
#ifdef FLASH
    SpiFlash flash;
#endif

    explicit Board(int divisor) : divisor(divisor) { top.rx = 1; }

    void cycle() {
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
#ifdef FLASH
        top.flash_cipo = flash.cycle(top.flash_cs, top.flash_clk, top.flash_copi);
#endif
        cycles++;
    }

    void drive() {
        if (bits_left && bit_cycles == 0) {
            top.rx = sending & 1;
            sending >>= 1;
            bits_left--;
            bit_cycles = divisor;
        }
        if (bit_cycles) bit_cycles--;
    }

    // A byte when its stop bit has been seen, else -1; -2 for a line that is low there.
    int listen() {
        if (sample_in == 0) {
            if (top.tx) return -1;
            sample_in = divisor + divisor / 2;
            bits_seen = 0;
            seen = 0;
        }
        if (--sample_in) return -1;
        if (bits_seen == 8) return top.tx ? int(seen) : -2;
        seen |= uint32_t(top.tx) << bits_seen++;
        sample_in = divisor;
        return -1;
    }
};

}  // namespace

extern "C" {

Board* board_new(int divisor) { return new Board(divisor); }

void board_delete(Board* b) { delete b; }

uint64_t board_cycles(const Board* b) { return b->cycles; }

#ifdef FLASH
// What the flash holds: before the first cycle, and at any time; with `cut` as if the power went now, which leaves its
// last write half done. The board goes on.
void board_fill(Board* b, const uint8_t* data, int64_t length) { b->flash.memory.assign(data, data + length); }

void board_dump(const Board* b, uint8_t* data, int cut, uint32_t random) {
    SpiFlash flash = b->flash;
    if (cut) flash.cut(random);
    std::copy(flash.memory.begin(), flash.memory.end(), data);
}

int board_refused(const Board* b) { return b->top.refused; }
#endif

// Clock the board until `length` bytes of `data` are sent and `want` bytes came, or for `limit` cycles.
// The bytes that came go to `found` (room for `capacity`); returns their number, or -1 on a framing error.
int64_t board_exchange(Board* b, const uint8_t* data, int64_t length, uint8_t* found, int64_t want, int64_t capacity,
                       int64_t limit) {
    int64_t sent = 0, came = 0;
    while (limit-- > 0 && came < capacity) {
        if (!b->bits_left && !b->bit_cycles) {
            if (sent < length) {
                b->sending = uint32_t(data[sent++]) << 1 | 1u << 9;
                b->bits_left = 10;
            } else if (came >= want) {
                break;
            }
        }
        b->drive();
        b->cycle();
        int byte = b->listen();
        if (byte == -2) return -1;
        if (byte >= 0) found[came++] = uint8_t(byte);
    }
    return came;
}

}
