// The program of the processor on a board that learns: it restores what was learnt at power-up and saves it on demand.
//
// golden/keeper.py has the slots and the ports, firmware/riscv/header.py makes map.h of it. Nothing here knows a
// network: which words learn is asked of the circuit, and in which order they stand is read from the image that lies
// in the flash as frames.
#include "map.h"

// commands of every SPI flash
enum { FLASH_READ = 0x03, FLASH_STATUS = 0x05, FLASH_ENABLE = 0x06, FLASH_PROGRAM = 0x02, FLASH_ERASE = 0x20 };
enum { FLASH_BUSY = 1 };
enum verdict { ERASED, OTHER, BAD, VALID };
enum what { FIND, LOAD, STORE };

static word buffer[PAGE / 4];
static word newest, sequence;               // the newer valid slot and its number; 0: there is none
static word image_crc;                      // of the image in the flash

// ---- the flash

static word swap(word byte) {
    PORT(BYTE) = byte;
    return PORT(BYTE);
}

static word get(void) {
    word found = 0;
    for (int n = 0; n < 32; n += 8) found |= swap(0) << n;
    return found;
}

static void put(word value) {
    for (int n = 0; n < 4; n++, value >>= 8) swap(value);
}

static void command(word code, word address) {
    PORT(SELECT) = 1;
    swap(code);
    swap(address >> 16);
    swap(address >> 8);
    swap(address);
}

static void close(void) { PORT(SELECT) = 0; }

static void single(word code) {
    PORT(SELECT) = 1;
    swap(code);
}

static void begin_write(word code, word address) {
    single(FLASH_ENABLE);
    close();
    command(code, address);
}

static void end_write(void) {
    close();
    single(FLASH_STATUS);
    while (swap(0) & FLASH_BUSY) {}
    close();
}

static void write_page(word address, word words) {
    begin_write(FLASH_PROGRAM, address);
    for (word n = 0; n < words; n++) put(buffer[n]);
    end_write();
}

// ---- the image in the flash, frame by frame

// A parameter frame has been read up to its words, whose first address is `at`; `done` words that learn came before.
// LOAD: sends it to the device, with the words of `slot` where they learn. STORE: words that learn go into `slot`.
static word carry(enum what what, word slot, word at, word count, word done) {
    if (what == LOAD) {
        for (word n = 0; n < count; n++) buffer[n] = get();
        close();
        command(FLASH_READ, slot + PAGE + 4 * done);
    }
    for (word n = 0; n < count; n++, at++) {
        PORT(LEARNS) = at;
        word learns = PORT(LEARNS);
        if (what == LOAD) {
            word value = learns ? get() : buffer[n];
            PORT(CRC) = at;
            PORT(CRC) = value;
            PARAMETER(at) = value;
        } else if (learns) {
            word value = PARAMETER(at) & WORD_MASK;
            PORT(CRC) = value;
            buffer[done % (PAGE / 4)] = value;
            if (done % (PAGE / 4) == PAGE / 4 - 1) write_page(slot + PAGE + 4 * (done - (PAGE / 4 - 1)), PAGE / 4);
        }
        done += learns;
    }
    return done;
}

// All frames up to the one that puts the image in force; how many words learn.
static word walk(enum what what, word slot) {
    word place = PORT(IMAGE) + FLASH_HEADER, done = 0;
    for (;;) {
        command(FLASH_READ, place);
        word sync = swap(0), op = swap(0);
        swap(0);    // its number
        word count = swap(0), at = get();
        if (sync != REQUEST_SYNC) break;
        if (op == WRITE) {
            if (at == REGISTER_LOAD_COMMIT) {
                image_crc = get();
                break;
            }
            if (at & PARAMETER_BASE && what != FIND) done = carry(what, slot, at, count, done);
        }
        if (op != READ) place += 4 * count;
        close();
        place += FRAME_BYTES;
    }
    close();
    word left = done % (PAGE / 4);
    if (what == STORE && left) write_page(slot + PAGE + 4 * (done - left), left);
    return done;
}

// ---- slots

static word crc_of_header(void) {
    for (word n = 0; n < SLOT_CRC; n++) PORT(CRC) = buffer[n];
    return PORT(CRC);
}

// Leaves the header in the buffer.
static enum verdict check(word slot) {
    command(FLASH_READ, slot);
    for (word n = 0; n < SLOT_WORDS; n++) buffer[n] = get();
    close();
    if (buffer[SLOT_MAGIC] == 0xFFFFFFFF) return ERASED;
    if (buffer[SLOT_MAGIC] != SLOT_IS || buffer[SLOT_COUNT] > (PORT(SLOT_BYTES) - PAGE) / 4) return BAD;
    PORT(CRC_START) = 1;
    command(FLASH_READ, slot + PAGE);
    for (word n = 0; n < buffer[SLOT_COUNT]; n++) PORT(CRC) = get();
    close();
    if (crc_of_header() != buffer[SLOT_CRC]) return BAD;
    if (buffer[SLOT_FINGERPRINT_LOW] != DEVICE(FINGERPRINT_LOW) ||
        buffer[SLOT_FINGERPRINT_HIGH] != DEVICE(FINGERPRINT_HIGH) || buffer[SLOT_IMAGE_CRC] != image_crc)
        return OTHER;
    return VALID;
}

static word restore(void) {
    word slot = PORT(SLOTS), kept = KEPT_NOTHING;
    if (PORT(BOOT) != BOOT_DONE) return KEPT_NO_IMAGE;
    walk(FIND, 0);
    for (int n = 0; n < 2; n++, slot += PORT(SLOT_BYTES)) {
        enum verdict found = check(slot);
        if (found == BAD && kept == KEPT_NOTHING) kept = KEPT_DAMAGED;
        if (found == VALID && buffer[SLOT_SEQUENCE] > sequence) {
            kept = KEPT_RESTORED;
            newest = slot;
            sequence = buffer[SLOT_SEQUENCE];
        }
    }
    if (kept != KEPT_RESTORED) return kept;
    DEVICE(LOAD_BEGIN) = 1;
    PORT(CRC_START) = 1;
    walk(LOAD, newest);
    DEVICE(LOAD_COMMIT) = PORT(CRC);
    while (DEVICE(STATUS) & STATUS_LOADING) {}
    return kept;
}

static void erase(word slot) {
    for (word n = 0; n < PORT(SLOT_BYTES); n += SECTOR) {
        begin_write(FLASH_ERASE, slot + n);
        end_write();
    }
}

static word save(void) {
    word first = PORT(SLOTS), slot = newest == first ? first + PORT(SLOT_BYTES) : first, ticks, count;
    erase(slot);
    // no word may move from the first one that is read to the last
    PORT(SHUT) = 1;
    for (;;) {
        while (DEVICE(STATUS) & STATUS_TICKING) {}
        ticks = DEVICE(TICKS);
        PORT(CRC_START) = 1;
        count = walk(STORE, slot);
        if (DEVICE(TICKS) == ticks) break;
        // a vector that was complete before had waited for room in the output buffer
        erase(slot);
    }
    PORT(SHUT) = 0;
    if (PORT(ASKED) & ASKED_ANOTHER) return SAVED_REFUSED;
    buffer[SLOT_MAGIC] = SLOT_IS;
    buffer[SLOT_FINGERPRINT_LOW] = DEVICE(FINGERPRINT_LOW);
    buffer[SLOT_FINGERPRINT_HIGH] = DEVICE(FINGERPRINT_HIGH);
    buffer[SLOT_IMAGE_CRC] = image_crc;
    buffer[SLOT_COUNT] = count;
    buffer[SLOT_SEQUENCE] = sequence + 1;
    buffer[SLOT_CRC] = crc_of_header();
    write_page(slot, SLOT_WORDS);
    if (check(slot) != VALID) return SAVED_FAILED;
    newest = slot;
    sequence++;
    return SAVED_DONE;
}

void main(void) {
    word kept = restore(), before = 0, since = 0;
    PORT(KEPT) = kept | sequence << KEPT_SEQUENCE;
    PORT(SHUT) = 0;
    for (;;) {
        word ticks = DEVICE(TICKS), every = PORT(EVERY);
        // the host may have set the counter back
        if (DEVICE(STATUS) & STATUS_RUNNING) since += ticks < before ? ticks : ticks - before;
        before = ticks;
        if (!(PORT(ASKED) & ASKED_SAVE) && !(every && since >= every)) continue;
        since = 0;
        PORT(KEPT) = kept | SAVED_SAVING << KEPT_SAVED | sequence << KEPT_SEQUENCE;
        PORT(ASKED) = 0;
        word said = kept == KEPT_NO_IMAGE || PORT(ASKED) & ASKED_ANOTHER ? SAVED_REFUSED : save();
        PORT(KEPT) = kept | said << KEPT_SAVED | sequence << KEPT_SEQUENCE;
    }
}
