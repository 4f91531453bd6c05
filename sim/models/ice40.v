// Functional models of the iCE40UP5K cells that rtl/vendor/ice40.py, scratch.py and spram.py instantiate, for simulation
// only. Written from Lattice FPGA-TN-02007 (DSP function usage guide), FPGA-TN-02002 and FPGA-TN-02022 (memory usage
// guides). What is not modelled stops the simulation with a message; pins that
// are not listed are not used here.

// 16 x 16 bits, signed, through input registers, those of the four partial products and that of their sum.
module SB_MAC16 #(
    parameter [0:0] A_REG = 0, B_REG = 0, C_REG = 0, D_REG = 0, NEG_TRIGGER = 0, MODE_8x8 = 0, A_SIGNED = 0,
    parameter [0:0] B_SIGNED = 0, TOP_8x8_MULT_REG = 0, BOT_8x8_MULT_REG = 0,
    parameter [0:0] PIPELINE_16x16_MULT_REG1 = 0, PIPELINE_16x16_MULT_REG2 = 0,
    parameter [1:0] TOPOUTPUT_SELECT = 0, BOTOUTPUT_SELECT = 0
) (
    input CLK, CE, AHOLD, BHOLD, CHOLD, DHOLD, IRSTTOP, IRSTBOT, ORSTTOP, ORSTBOT, OLOADTOP, OLOADBOT, ADDSUBTOP,
    input ADDSUBBOT, OHOLDTOP, OHOLDBOT, CI, ACCUMCI, SIGNEXTIN, input [15:0] A, B, C, D, output [31:0] O
);
  reg signed [15:0] a = 0, b = 0;
  reg signed [31:0] partial = 0, total = 0;
  // what is held or reset is not modelled: it gives what no circuit may use
  wire held = AHOLD || BHOLD || IRSTTOP || IRSTBOT || ORSTTOP || ORSTBOT || OHOLDTOP || OHOLDBOT;
  assign O = held ? 32'h5aa55aa5 : total;
  always @(posedge CLK)
    if (CE) begin
      a <= A; b <= B; partial <= a * b; total <= partial;
    end
  initial if (!(A_REG && B_REG && A_SIGNED && B_SIGNED && TOP_8x8_MULT_REG && BOT_8x8_MULT_REG
                && PIPELINE_16x16_MULT_REG1 && PIPELINE_16x16_MULT_REG2 && TOPOUTPUT_SELECT == 3
                && BOTOUTPUT_SELECT == 3) || NEG_TRIGGER || MODE_8x8) begin
    $display("ice40.v: SB_MAC16 is modelled as a signed 16 x 16 multiplier with all its registers only");
    $finish;
  end
  always @(posedge CLK) if (held) begin
    $display("ice40.v: SB_MAC16 without hold and reset only");
    $finish;
  end
endmodule

// 16,384 words of 16 bits behind one port. What is read in a cycle of a write is not told: here, what no circuit may use.
module SB_SPRAM256KA (
    input CLOCK, WREN, CHIPSELECT, STANDBY, SLEEP, POWEROFF, input [3:0] MASKWREN, input [13:0] ADDRESS,
    input [15:0] DATAIN, output reg [15:0] DATAOUT
);
  reg [15:0] words [0:16383];
  wire [15:0] mask = {{4{MASKWREN[3]}}, {4{MASKWREN[2]}}, {4{MASKWREN[1]}}, {4{MASKWREN[0]}}};
  always @(posedge CLOCK) begin
    DATAOUT <= WREN ? 16'h5aa5 : words[ADDRESS];
    if (WREN) words[ADDRESS] <= (DATAIN & mask) | (words[ADDRESS] & ~mask);
  end
  always @(posedge CLOCK) if (!CHIPSELECT || STANDBY || SLEEP || !POWEROFF) begin
    $display("ice40.v: SB_SPRAM256KA is modelled as always selected and awake only");
    $finish;
  end
endmodule

// 4,096 bits with a port to read and one to write, both of one shape. What is read of a word that is being written is
// not told, either.
module SB_RAM40_4K #(parameter [1:0] READ_MODE = 0, WRITE_MODE = 0) (
    input RCLK, RCLKE, RE, WCLK, WCLKE, WE, input [10:0] RADDR, WADDR, input [15:0] MASK, WDATA,
    output reg [15:0] RDATA
);
  reg [15:0] words [0:255];
  // the pin of a bit within its group, and the group's bit that an address means
  localparam GROUP = 1 << READ_MODE, PIN = READ_MODE == 0 ? 0 : GROUP / 2 - 1;
  integer n;
  always @(posedge RCLK)
    for (n = 0; n < 16; n = n + GROUP)
      RDATA[n + PIN] <= WE && RADDR == WADDR ? n[2] ^ n[0] : words[RADDR[7:0]][n + RADDR[10:8] % GROUP];
  always @(posedge WCLK) if (WE)
    for (n = 0; n < 16; n = n + GROUP) words[WADDR[7:0]][n + WADDR[10:8] % GROUP] <= WDATA[n + PIN];
  initial if (READ_MODE != WRITE_MODE) begin
    $display("ice40.v: SB_RAM40_4K is modelled with ports of one shape only");
    $finish;
  end
  always @(posedge RCLK) if (!RCLKE || !RE || !WCLKE || MASK != 0) begin
    $display("ice40.v: SB_RAM40_4K is modelled as always enabled and without mask only");
    $finish;
  end
endmodule
