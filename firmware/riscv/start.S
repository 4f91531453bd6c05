# Reset: the stack is at the end of the memory; `main` does not return.
.section .start, "ax"
.globl start
.globl start
start:
    lui sp, %hi(stack)
    addi sp, sp, %lo(stack)
    jal main
