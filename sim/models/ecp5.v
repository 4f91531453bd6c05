// Functional models of the ECP5 cells that rtl/vendor/ecp5.py instantiates, for simulation only: yosys ships
// them as black boxes. Written from FPGA-TN-02205 (sysDSP) and FPGA-TN-02204 (sysMEM). What is not modelled stops the
// simulation with a message; pins that are not listed are not used here.

// A register of a hard block: "NONE" is a wire, "CLK0" a register with enable and synchronous reset.
module ecp5_register #(parameter WIDTH = 18, parameter [31:0] MODE = "NONE")
    (input clk, ce, rst, input [WIDTH-1:0] d, output [WIDTH-1:0] q);
  generate
    if (MODE == "NONE") begin : wired
      assign q = d;
    end else begin : registered
      reg [WIDTH-1:0] state = 0;
      always @(posedge clk)
        if (rst) state <= 0;
        else if (ce) state <= d;
      assign q = state;
    end
  endgenerate
  initial if (MODE != "NONE" && MODE != "CLK0") begin
    $display("ecp5.v: registers are modelled as NONE or CLK0 only");
    $finish;
  end
endmodule

// Look-up table of four inputs.
module LUT4 #(parameter [15:0] INIT = 0) (input A, B, C, D, output Z);
  assign Z = INIT[{D, C, B, A}];
endmodule

// Half of a slice: two bits of a sum. A table of four inputs says whether a bit differs from its carry in; where its
// output is 0, the first two inputs say by the table's lowest four bits what is carried on. INJECT1 must be "NO".
module CCU2C #(
    parameter [15:0] INIT0 = 0, INIT1 = 0,
    parameter INJECT1_0 = "NO", INJECT1_1 = "NO"
) (
    input A0, B0, C0, D0, A1, B1, C1, D1, CIN, output S0, S1, COUT
);
  wire low = INIT0[{D0, C0, B0, A0}], high = INIT1[{D1, C1, B1, A1}];
  wire between = low ? CIN : INIT0[{2'b00, B0, A0}];
  assign S0 = low ^ CIN;
  assign S1 = high ^ between;
  assign COUT = high ? between : INIT1[{2'b00, B1, A1}];
endmodule

// 18 x 18 multiplier: P = A * B, through input, pipeline and output registers. SOURCEA, SOURCEB (cascade) must be 0.
module MULT18X18D #(
    parameter [31:0] REG_INPUTA_CLK = "NONE", REG_INPUTB_CLK = "NONE",
    parameter [31:0] REG_PIPELINE_CLK = "NONE", REG_OUTPUT_CLK = "NONE",
    parameter REG_INPUTA_CE = "CE0", REG_INPUTB_CE = "CE0", REG_PIPELINE_CE = "CE0", REG_OUTPUT_CE = "CE0",
    parameter REG_INPUTA_RST = "RST0", REG_INPUTB_RST = "RST0", REG_PIPELINE_RST = "RST0", REG_OUTPUT_RST = "RST0",
    parameter CLK0_DIV = "ENABLED", SOURCEB_MODE = "B_SHIFT", GSR = "DISABLED", RESETMODE = "SYNC"
) (
    input A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0,
    input B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0,
    output P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16,
           P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0
);
  wire [17:0] a_pin = {A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
  wire [17:0] b_pin = {B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
  wire [17:0] a, b;
  wire [35:0] product, p;
  ecp5_register #(18, REG_INPUTA_CLK) input_a (CLK0, CE0, RST0, a_pin, a);
  ecp5_register #(18, REG_INPUTB_CLK) input_b (CLK0, CE0, RST0, b_pin, b);
  // one more bit each, so that signed and unsigned factors multiply alike
  wire signed [18:0] a_wide = {SIGNEDA & a[17], a};
  wire signed [18:0] b_wide = {SIGNEDB & b[17], b};
  wire signed [37:0] full = a_wide * b_wide;
  ecp5_register #(36, REG_PIPELINE_CLK) pipeline (CLK0, CE0, RST0, full[35:0], product);
  ecp5_register #(36, REG_OUTPUT_CLK) out (CLK0, CE0, RST0, product, p);
  assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18, P17, P16,
          P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = p;
  always @(posedge CLK0) if (SOURCEA || SOURCEB) begin
    $display("ecp5.v: MULT18X18D cascade is not modelled");
    $finish;
  end
endmodule

// 18 kbit of true dual-port memory, 1 to 18 bits wide on each port. An 18-bit row holds two halves of 9 bits (address
// bit 3); ports of 4, 2 and 1 bits reach the lower 8 bits of each half. In an 18-bit write the address bits 1 and 0
// enable the halves. A port that writes keeps its output (WRITEMODE NORMAL); a row that the other port writes reads old.
// 36 bits wide, port A only writes and port B only reads: two rows, the lower one through DIA and DOA, the other through
// DIB and DOB; in a write the address bits 3 to 0 enable the four bytes.
module DP16KD #(
    parameter integer DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
    parameter [47:0] REGMODE_A = "NOREG", REGMODE_B = "NOREG", WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL",
    parameter [39:0] CSDECODE_A = "0b000", CSDECODE_B = "0b000",
    parameter RESETMODE = "SYNC", GSR = "DISABLED", ASYNC_RESET_RELEASE = "SYNC", INIT_DATA = "STATIC",
    parameter [319:0]
        INITVAL_00 = 0, INITVAL_01 = 0, INITVAL_02 = 0, INITVAL_03 = 0, INITVAL_04 = 0, INITVAL_05 = 0,
        INITVAL_06 = 0, INITVAL_07 = 0, INITVAL_08 = 0, INITVAL_09 = 0, INITVAL_0A = 0, INITVAL_0B = 0,
        INITVAL_0C = 0, INITVAL_0D = 0, INITVAL_0E = 0, INITVAL_0F = 0, INITVAL_10 = 0, INITVAL_11 = 0,
        INITVAL_12 = 0, INITVAL_13 = 0, INITVAL_14 = 0, INITVAL_15 = 0, INITVAL_16 = 0, INITVAL_17 = 0,
        INITVAL_18 = 0, INITVAL_19 = 0, INITVAL_1A = 0, INITVAL_1B = 0, INITVAL_1C = 0, INITVAL_1D = 0,
        INITVAL_1E = 0, INITVAL_1F = 0, INITVAL_20 = 0, INITVAL_21 = 0, INITVAL_22 = 0, INITVAL_23 = 0,
        INITVAL_24 = 0, INITVAL_25 = 0, INITVAL_26 = 0, INITVAL_27 = 0, INITVAL_28 = 0, INITVAL_29 = 0,
        INITVAL_2A = 0, INITVAL_2B = 0, INITVAL_2C = 0, INITVAL_2D = 0, INITVAL_2E = 0, INITVAL_2F = 0,
        INITVAL_30 = 0, INITVAL_31 = 0, INITVAL_32 = 0, INITVAL_33 = 0, INITVAL_34 = 0, INITVAL_35 = 0,
        INITVAL_36 = 0, INITVAL_37 = 0, INITVAL_38 = 0, INITVAL_39 = 0, INITVAL_3A = 0, INITVAL_3B = 0,
        INITVAL_3C = 0, INITVAL_3D = 0, INITVAL_3E = 0, INITVAL_3F = 0
) (
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3,
          DIA2, DIA1, DIA0,
    input CLKA, CEA, OCEA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
           DOA2, DOA1, DOA0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3,
          DIB2, DIB1, DIB0,
    input CLKB, CEB, OCEB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
           DOB2, DOB1, DOB0
);
  localparam [20479:0] INIT = {INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A,
                               INITVAL_39, INITVAL_38, INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34,
                               INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30, INITVAL_2F, INITVAL_2E,
                               INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
                               INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22,
                               INITVAL_21, INITVAL_20, INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C,
                               INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18, INITVAL_17, INITVAL_16,
                               INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
                               INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A,
                               INITVAL_09, INITVAL_08, INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04,
                               INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00};
  reg [17:0] rows [0:1023];
  integer k;
  initial for (k = 0; k < 1024; k = k + 1) rows[k] = INIT[20*k +: 18];  // a word of 18 bits in each slot of 20

  // place of the addressed word in its row
  function integer place(input [3:0] addr, input integer width);
    place = (width <= 9 && addr[3] ? 9 : 0) + (width <= 4 && addr[2] ? 4 : 0)
          + (width <= 2 && addr[1] ? 2 : 0) + (width <= 1 && addr[0] ? 1 : 0);
  endfunction

  // bits of the row that a write reaches
  function [17:0] reach(input [3:0] addr, input integer width);
    reach = width == 18 ? {{9{addr[1]}}, {9{addr[0]}}} : ((18'd1 << width) - 18'd1) << place(addr, width);
  endfunction

  function [17:0] word(input [17:0] row, input [3:0] addr, input integer width);
    word = width == 18 ? row : (row >> place(addr, width)) & ((18'd1 << width) - 18'd1);
  endfunction

  localparam WIDE = DATA_WIDTH_A == 36 && DATA_WIDTH_B == 36;

  // bits of a row that two byte enables reach
  function [17:0] both(input [1:0] enable);
    both = {{9{enable[1]}}, {9{enable[0]}}};
  endfunction

  // port A
  wire [13:0] ada = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [17:0] dia = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4,
                     DIA3, DIA2, DIA1, DIA0};
  wire [17:0] dib = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4,
                     DIB3, DIB2, DIB1, DIB0};
  wire [17:0] reach_a = reach(ada[3:0], DATA_WIDTH_A);
  // the characters 0 and 1 of the decode string differ in their last bit
  wire on_a = CEA && {CSA2, CSA1, CSA0} == {CSDECODE_A[16], CSDECODE_A[8], CSDECODE_A[0]};
  reg [17:0] read_a = 0, kept_a = 0, read_low = 0, kept_low = 0;
  always @(posedge CLKA) begin
    if (on_a && WEA && WIDE) begin
      rows[{ada[13:5], 1'b0}] <= (rows[{ada[13:5], 1'b0}] & ~both(ada[1:0])) | (dia & both(ada[1:0]));
      rows[{ada[13:5], 1'b1}] <= (rows[{ada[13:5], 1'b1}] & ~both(ada[3:2])) | (dib & both(ada[3:2]));
    end else if (on_a && WEA)
      rows[ada[13:4]] <= (rows[ada[13:4]] & ~reach_a) | ((dia << place(ada[3:0], DATA_WIDTH_A)) & reach_a);
    if (RSTA) read_a <= 0;
    else if (on_a && !WEA) read_a <= word(rows[ada[13:4]], ada[3:0], DATA_WIDTH_A);
    if (RSTA) kept_a <= 0;
    else if (OCEA) kept_a <= read_a;
  end
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3,
          DOA2, DOA1, DOA0} = WIDE ? (REGMODE_B == "OUTREG" ? kept_low : read_low)
                                   : (REGMODE_A == "OUTREG" ? kept_a : read_a);

  // port B
  wire [13:0] adb = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  wire [17:0] reach_b = reach(adb[3:0], DATA_WIDTH_B);
  // the characters 0 and 1 of the decode string differ in their last bit
  wire on_b = CEB && {CSB2, CSB1, CSB0} == {CSDECODE_B[16], CSDECODE_B[8], CSDECODE_B[0]};
  reg [17:0] read_b = 0, kept_b = 0;
  wire [9:0] row_b = WIDE ? {adb[13:5], 1'b1} : adb[13:4];
  always @(posedge CLKB) begin
    if (on_b && WEB && !WIDE)
      rows[adb[13:4]] <= (rows[adb[13:4]] & ~reach_b) | ((dib << place(adb[3:0], DATA_WIDTH_B)) & reach_b);
    if (RSTB) read_b <= 0;
    else if (on_b && !WEB) read_b <= word(rows[row_b], adb[3:0], DATA_WIDTH_B);
    if (RSTB) kept_b <= 0;
    else if (OCEB) kept_b <= read_b;
    if (RSTB) read_low <= 0;
    else if (on_b) read_low <= rows[{adb[13:5], 1'b0}];
    if (RSTB) kept_low <= 0;
    else if (OCEB) kept_low <= read_low;
  end
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3,
          DOB2, DOB1, DOB0} = REGMODE_B == "OUTREG" ? kept_b : read_b;

  initial if (WRITEMODE_A != "NORMAL" || WRITEMODE_B != "NORMAL" || RESETMODE != "SYNC") begin
    $display("ecp5.v: DP16KD is modelled with WRITEMODE NORMAL and RESETMODE SYNC only");
    $finish;
  end
  initial if (!WIDE && (DATA_WIDTH_A == 36 || DATA_WIDTH_B == 36)) begin
    $display("ecp5.v: DP16KD is modelled with 36 bits on both ports only");
    $finish;
  end
endmodule
