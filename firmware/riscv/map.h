// Written by firmware/riscv/build.py from golden/regmap.py, frames.py, flash.py and keeper.py.
#pragma once
typedef unsigned int word;

#define PORTS 0x40000000u
#define BUS 0x80000000u
#define BUS_PARAMETERS 0xc0000000u

#define PORT_SELECT 0x0u
#define PORT_BYTE 0x1u
#define PORT_CRC 0x2u
#define PORT_CRC_START 0x3u
#define PORT_SHUT 0x4u
#define PORT_LEARNS 0x5u
#define PORT_KEPT 0x6u
#define PORT_ASKED 0x7u
#define PORT_EVERY 0x8u
#define PORT_BOOT 0x9u
#define PORT_IMAGE 0xau
#define PORT_SLOTS 0xbu
#define PORT_SLOT_BYTES 0xcu

#define REGISTER_MAGIC 0x0u
#define REGISTER_VERSION 0x1u
#define REGISTER_FINGERPRINT_LOW 0x2u
#define REGISTER_FINGERPRINT_HIGH 0x3u
#define REGISTER_SHAPE 0x4u
#define REGISTER_PARAMETER_WORDS 0x5u
#define REGISTER_CYCLES_PER_TICK 0x6u
#define REGISTER_OUTPUT_TICKS 0x7u
#define REGISTER_STATUS 0x8u
#define REGISTER_ERRORS 0x9u
#define REGISTER_LOAD_BEGIN 0xau
#define REGISTER_LOAD_COMMIT 0xbu
#define REGISTER_TICKS 0xcu
#define REGISTER_BUSY_CYCLES 0xdu
#define REGISTER_STALL_CYCLES 0xeu
#define REGISTER_SCRATCH 0xfu
#define REGISTER_LEARNING 0x10u
#define REGISTER_HALVINGS 0x11u
#define REGISTER_TEACHER 0x12u
#define REGISTER_LEARN_CYCLES 0x13u
#define REGISTER_OVERFLOW 0x14u
#define REGISTER_LOST 0x15u
#define REGISTER_BOOT 0x16u
#define REGISTER_KEPT 0x17u
#define REGISTER_SAVE 0x18u
#define REGISTER_SAVE_EVERY 0x19u
#define REGISTER_SCRUB_ROUNDS 0x1au
#define REGISTER_SCRUB_FLIPS 0x1bu
#define REGISTER_SCRUB_MENDS 0x1cu

#define STATUS_LOADING 0x2u
#define STATUS_TICKING 0x8u
#define STATUS_RUNNING 0x20u

#define PARAMETER_BASE 0x80000000u
#define WORD_MASK 0x3ffffu

#define REQUEST_SYNC 0xc5u
#define READ 0x1u
#define WRITE 0x2u
#define FRAME_BYTES 0xcu
#define FLASH_HEADER 0xcu

#define BOOT_PLAYING 0x0u
#define BOOT_DONE 0x1u
#define BOOT_NOTHING 0x2u
#define BOOT_REFUSED 0x3u

#define KEPT_LOOKING 0x0u
#define KEPT_NOTHING 0x1u
#define KEPT_RESTORED 0x2u
#define KEPT_DAMAGED 0x3u
#define KEPT_NO_IMAGE 0x4u

#define SAVED_NEVER 0x0u
#define SAVED_SAVING 0x1u
#define SAVED_DONE 0x2u
#define SAVED_FAILED 0x3u
#define SAVED_REFUSED 0x4u

#define KEPT_SAVED 0x4u
#define KEPT_SEQUENCE 0x8u

#define ASKED_SAVE 0x1u
#define ASKED_ANOTHER 0x2u

#define SLOT_IS 0x53574c4cu
#define SLOT_WORDS 0x7u

#define SLOT_MAGIC 0x0u
#define SLOT_FINGERPRINT_LOW 0x1u
#define SLOT_FINGERPRINT_HIGH 0x2u
#define SLOT_IMAGE_CRC 0x3u
#define SLOT_COUNT 0x4u
#define SLOT_SEQUENCE 0x5u
#define SLOT_CRC 0x6u

#define PAGE 0x100u
#define SECTOR 0x1000u

#define PORT(name) (*(volatile word *)(PORTS + 4 * PORT_##name))
#define DEVICE(name) (*(volatile word *)(BUS + 4 * REGISTER_##name))
#define PARAMETER(at) (*(volatile word *)(BUS_PARAMETERS + ((at) << 2)))
