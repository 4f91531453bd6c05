// Functional models of the Gowin cells that rtl/vendor/gowin.py instantiates, for simulation only: yosys ships them as
// black boxes. Written from Gowin UG287 (DSP) and UG285 (BSRAM). What is not modelled stops the simulation with a
// message; pins that are not listed are not used here.

// 18 x 18 multiplier through input, pipeline and output registers, which all have to be on; no cascade.
module MULT18X18 #(
    parameter [0:0] AREG = 0, BREG = 0, OUT_REG = 0, PIPE_REG = 0, ASIGN_REG = 0, BSIGN_REG = 0, SOA_REG = 0,
    parameter MULT_RESET_MODE = "SYNC"
) (
    input [17:0] A, SIA, B, SIB, input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET, output [35:0] DOUT
);
  reg [17:0] a = 0, b = 0;
  reg [35:0] product = 0, out = 0;
  // one more bit each, so that signed and unsigned factors multiply alike
  wire signed [18:0] a_wide = {ASIGN & a[17], a};
  wire signed [18:0] b_wide = {BSIGN & b[17], b};
  wire signed [37:0] full = a_wide * b_wide;
  assign DOUT = out;
  always @(posedge CLK)
    if (RESET) begin
      a <= 0; b <= 0; product <= 0; out <= 0;
    end else if (CE) begin
      a <= A; b <= B; product <= full[35:0]; out <= product;
    end
  initial if (!(AREG && BREG && PIPE_REG && OUT_REG) || ASIGN_REG || BSIGN_REG || SOA_REG) begin
    $display("gowin.v: MULT18X18 is modelled with all its registers only");
    $finish;
  end
  always @(posedge CLK) if (ASEL || BSEL) begin
    $display("gowin.v: MULT18X18 cascade is not modelled");
    $finish;
  end
endmodule

// A block RAM of 2048 x 9 bits in words of WIDTH, written by port A, read by port B through its output register. The
// lowest address bits of a port that writes words of several bytes of BYTE bits are their enables.
module gowin_bsram #(
    parameter WIDTH = 36, BYTE = 9, parameter [2048*9-1:0] INIT = 0
) (
    input CLKA, CEA, CLKB, CEB, OCE, RESETB, input [13:0] ADA, ADB, input [35:0] DI, output [35:0] DO
);
  localparam BITS = WIDTH % 9 == 0 ? 2048 * 9 : 2048 * 8;
  localparam WORDS = BITS / WIDTH;
  localparam LOW = 14 - $clog2(WORDS);
  localparam BYTES = WIDTH <= BYTE ? 1 : WIDTH / BYTE;
  localparam EACH = WIDTH <= BYTE ? WIDTH : BYTE;
  reg [WIDTH-1:0] words[0:WORDS-1];
  reg [WIDTH-1:0] read = 0, out = 0;
  integer n;
  assign DO = out;
  initial
    if (INIT == 0) for (n = 0; n < WORDS; n = n + 1) words[n] = 0;
    else for (n = 0; n < WORDS; n = n + 1) words[n] = INIT[n*WIDTH +: WIDTH];
  always @(posedge CLKA)
    if (CEA)
      for (n = 0; n < BYTES; n = n + 1)
        if (BYTES == 1 || ADA[n]) words[ADA[13:LOW]][n*EACH +: EACH] <= DI[n*EACH +: EACH];
  always @(posedge CLKB)
    if (RESETB) begin
      read <= 0; out <= 0;
    end else begin
      if (CEB) read <= words[ADB[13:LOW]];
      if (OCE) out <= read;
    end
endmodule

// Block RAM with a port to write and one to read, words of 9, 18 and 36 bits.
module SDPX9B #(
    parameter [0:0] READ_MODE = 0,
    parameter BIT_WIDTH_0 = 36, BIT_WIDTH_1 = 36, RESET_MODE = "SYNC",
    parameter [2:0] BLK_SEL_0 = 0, BLK_SEL_1 = 0,
    parameter [287:0] INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0,
    parameter [287:0] INIT_RAM_04 = 0, INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0,
    parameter [287:0] INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0,
    parameter [287:0] INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0,
    parameter [287:0] INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0,
    parameter [287:0] INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0,
    parameter [287:0] INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0,
    parameter [287:0] INIT_RAM_1C = 0, INIT_RAM_1D = 0, INIT_RAM_1E = 0, INIT_RAM_1F = 0,
    parameter [287:0] INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0,
    parameter [287:0] INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0,
    parameter [287:0] INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0,
    parameter [287:0] INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0,
    parameter [287:0] INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0,
    parameter [287:0] INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, INIT_RAM_37 = 0,
    parameter [287:0] INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0,
    parameter [287:0] INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0
) (
    input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB, input [13:0] ADA, ADB, input [2:0] BLKSELA, BLKSELB,
    input [35:0] DI, output [35:0] DO
);
  wire [35:0] read;
  assign DO = read[35:0];
  gowin_bsram #(.WIDTH(BIT_WIDTH_0), .BYTE(9),
      .INIT({INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
             INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
             INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
             INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
             INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
             INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
             INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
             INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00}))
    store (CLKA, CEA && BLKSELA == BLK_SEL_0, CLKB, CEB, OCE, RESETB, ADA, ADB, DI, read);
  initial if (!READ_MODE || BIT_WIDTH_0 != BIT_WIDTH_1) begin
    $display("gowin.v: SDPX9B is modelled with its output register and ports of one width only");
    $finish;
  end
  always @(posedge CLKB) if (BLKSELB != BLK_SEL_1) begin
    $display("gowin.v: SDPX9B that is not selected is not modelled");
    $finish;
  end
endmodule

// The same without the ninth bit of a byte, words of 1 to 32 bits.
module SDPB #(
    parameter [0:0] READ_MODE = 0,
    parameter BIT_WIDTH_0 = 32, BIT_WIDTH_1 = 32, RESET_MODE = "SYNC",
    parameter [2:0] BLK_SEL_0 = 0, BLK_SEL_1 = 0,
    parameter [255:0] INIT_RAM_00 = 0, INIT_RAM_01 = 0, INIT_RAM_02 = 0, INIT_RAM_03 = 0,
    parameter [255:0] INIT_RAM_04 = 0, INIT_RAM_05 = 0, INIT_RAM_06 = 0, INIT_RAM_07 = 0,
    parameter [255:0] INIT_RAM_08 = 0, INIT_RAM_09 = 0, INIT_RAM_0A = 0, INIT_RAM_0B = 0,
    parameter [255:0] INIT_RAM_0C = 0, INIT_RAM_0D = 0, INIT_RAM_0E = 0, INIT_RAM_0F = 0,
    parameter [255:0] INIT_RAM_10 = 0, INIT_RAM_11 = 0, INIT_RAM_12 = 0, INIT_RAM_13 = 0,
    parameter [255:0] INIT_RAM_14 = 0, INIT_RAM_15 = 0, INIT_RAM_16 = 0, INIT_RAM_17 = 0,
    parameter [255:0] INIT_RAM_18 = 0, INIT_RAM_19 = 0, INIT_RAM_1A = 0, INIT_RAM_1B = 0,
    parameter [255:0] INIT_RAM_1C = 0, INIT_RAM_1D = 0, INIT_RAM_1E = 0, INIT_RAM_1F = 0,
    parameter [255:0] INIT_RAM_20 = 0, INIT_RAM_21 = 0, INIT_RAM_22 = 0, INIT_RAM_23 = 0,
    parameter [255:0] INIT_RAM_24 = 0, INIT_RAM_25 = 0, INIT_RAM_26 = 0, INIT_RAM_27 = 0,
    parameter [255:0] INIT_RAM_28 = 0, INIT_RAM_29 = 0, INIT_RAM_2A = 0, INIT_RAM_2B = 0,
    parameter [255:0] INIT_RAM_2C = 0, INIT_RAM_2D = 0, INIT_RAM_2E = 0, INIT_RAM_2F = 0,
    parameter [255:0] INIT_RAM_30 = 0, INIT_RAM_31 = 0, INIT_RAM_32 = 0, INIT_RAM_33 = 0,
    parameter [255:0] INIT_RAM_34 = 0, INIT_RAM_35 = 0, INIT_RAM_36 = 0, INIT_RAM_37 = 0,
    parameter [255:0] INIT_RAM_38 = 0, INIT_RAM_39 = 0, INIT_RAM_3A = 0, INIT_RAM_3B = 0,
    parameter [255:0] INIT_RAM_3C = 0, INIT_RAM_3D = 0, INIT_RAM_3E = 0, INIT_RAM_3F = 0
) (
    input CLKA, CEA, CLKB, CEB, OCE, RESETA, RESETB, input [13:0] ADA, ADB, input [2:0] BLKSELA, BLKSELB,
    input [31:0] DI, output [31:0] DO
);
  wire [35:0] read;
  assign DO = read[31:0];
  gowin_bsram #(.WIDTH(BIT_WIDTH_0), .BYTE(8),
      .INIT({INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
             INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
             INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
             INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
             INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
             INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
             INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
             INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00}))
    store (CLKA, CEA && BLKSELA == BLK_SEL_0, CLKB, CEB, OCE, RESETB, ADA, ADB, DI, read);
  initial if (!READ_MODE || BIT_WIDTH_0 != BIT_WIDTH_1) begin
    $display("gowin.v: SDPB is modelled with its output register and ports of one width only");
    $finish;
  end
  always @(posedge CLKB) if (BLKSELB != BLK_SEL_1) begin
    $display("gowin.v: SDPB that is not selected is not modelled");
    $finish;
  end
endmodule
