// Functional model of the iCE40UP5K cell that rtl/vendor/ice40.py instantiates, for simulation only. Written from
// Lattice FPGA-TN-02007 (DSP function usage guide). What is not modelled stops the simulation with a message; pins that
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
  assign O = total;
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
  always @(posedge CLK) if (AHOLD || BHOLD || IRSTTOP || IRSTBOT) begin
    $display("ice40.v: SB_MAC16 without hold and reset of its inputs only");
    $finish;
  end
endmodule
