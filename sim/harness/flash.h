// An SPI flash at the pins of a simulated board: mode 0, commands as of W25Q and S25FL parts (sim/harness/board.py).
//
// Read (03), write enable and disable (06, 04), status (05: bit 0 busy, bit 1 writes enabled), page program (02, at most
// 256 bytes that wrap within their page, bits only fall), erase of a sector of 4 KiB (20), sleep and wake (B9, AB).
// While it is busy it answers status alone; what it cannot do it ignores, as the parts do.
#include <cstdint>
#include <vector>

namespace {

struct SpiFlash {
    static constexpr uint32_t PAGE = 256, SECTOR = 4096;
    std::vector<uint8_t> memory;
    // cycles that a byte takes to be programmed, and a sector to be erased
    int64_t program_cycles = 64, erase_cycles = 20000;
    bool asleep = true;         // as a part is after an FPGA has configured itself and sent it to sleep

    // one cycle of the board's clock; the level of cipo
    bool cycle(bool cs, bool clk, bool copi) {
        if (busy && --busy == 0) finish();
        if (!cs && selected) ended();
        if (cs && !selected) bits = 0, command = 0, count = 0, page.clear();
        if (cs && selected && clk && !clk_before) rising(copi);
        if (cs && selected && !clk && clk_before) falling();
        selected = cs;
        clk_before = clk;
        return out >> 7;
    }

    // The power goes: what is under way stays half done. `random` draws the bits of what was being changed.
    void cut(uint32_t random) {
        if (!busy) return;
        auto draw = [&random] { return random = random * 1664525u + 1013904223u, uint8_t(random >> 16); };
        if (task == 0x20) {
            for (uint32_t n = 0; n < SECTOR; n++) at(place / SECTOR * SECTOR + n) |= draw();
        } else {
            size_t done = bytes.size() - (busy + program_cycles - 1) / program_cycles;
            for (size_t n = 0; n < done; n++) program(n, 0);
            program(done, draw());
        }
        busy = 0;
    }

private:
    bool selected = false, clk_before = false, writable = false;
    int bits = 0, shift = 0, out = 0xFF;
    uint32_t command = 0, address = 0, count = 0;
    std::vector<uint8_t> page;
    // what it is busy with
    int64_t busy = 0;
    uint32_t task = 0, place = 0;
    std::vector<uint8_t> bytes;

    uint8_t& at(uint32_t where) { return memory[where % memory.size()]; }

    // bits that `keep` has stay as they are
    void program(size_t n, uint8_t keep) {
        at(place / PAGE * PAGE + (place + n) % PAGE) &= bytes[n] | keep;
    }

    void rising(bool copi) {
        shift = (shift << 1 | copi) & 0xFF;
        if (++bits < 8) return;
        bits = 0;
        if (count == 0) {
            command = shift;
            if ((asleep && command != 0xAB) || (busy && command != 0x05)) command = 0;
        } else if (count <= 3) {
            address = (address << 8 | shift) & 0xFFFFFF;
        } else if (command == 0x02) {
            // of more than a page the last 256 bytes count
            if (page.size() == PAGE) page.erase(page.begin()), address = address / PAGE * PAGE + (address + 1) % PAGE;
            page.push_back(uint8_t(shift));
        }
        count++;
    }

    void falling() {
        out = out << 1 & 0xFF;
        if (bits) return;
        out = 0xFF;
        if (command == 0x03 && count >= 4) out = at(address++);
        if (command == 0x05) out = (busy != 0) | writable << 1;
    }

    // the command takes effect when the flash is no longer selected, after whole bytes
    void ended() {
        if (bits) return;
        if (command == 0x06) writable = true;
        if (command == 0x04) writable = false;
        if (command == 0xB9) asleep = true;
        if (command == 0xAB) asleep = false;
        bool programs = command == 0x02 && !page.empty(), erases = command == 0x20 && count == 4;
        if (!writable || !(programs || erases)) return;
        task = command, place = address, bytes = page;
        busy = programs ? int64_t(bytes.size()) * program_cycles : erase_cycles;
    }

    void finish() {
        if (task == 0x20)
            for (uint32_t n = 0; n < SECTOR; n++) at(place / SECTOR * SECTOR + n) = 0xFF;
        else
            for (size_t n = 0; n < bytes.size(); n++) program(n, 0);
        writable = false;
    }
};

}  // namespace
