// Cells of an ECP5 as nextpnr leaves them, for simulation; sim/routed.py has tied what is not connected. Written from
// FPGA-TN-02205, FPGA-DS-02012 and from what nextpnr-ecp5 packs. Multipliers and block RAMs: ecp5.v.

// Half of a slice: a table, a bit of a carry chain, or 16 bits of LUT RAM; and the multiplexer behind it.
module TRELLIS_COMB #(
    parameter MODE = "LOGIC", parameter [15:0] INITVAL = 0, parameter CCU2_INJECT1 = "NO", parameter IS_Z1 = 0
) (
    input A, B, C, D, M, FCI, F1, FXA, FXB, WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK, output F, FCO, OFX
);
  wire table_out = INITVAL[{D, C, B, A}];
  generate
    if (MODE == "DPRAM") begin : ram
      reg [15:0] words = INITVAL;
      always @(posedge WCK) if (WRE) words[{WAD3, WAD2, WAD1, WAD0}] <= WD;
      assign F = words[{A, C, B, D}];
      assign FCO = 1'b0;
    end else if (MODE == "CCU2") begin : carry
      // an injected bit has no carry in, and hands on what comes in where its table says so
      wire low = CCU2_INJECT1 == "YES" ? 1'b0 : INITVAL[{2'b00, B, A}];
      assign F = table_out ^ (CCU2_INJECT1 == "YES" ? 1'b0 : FCI);
      assign FCO = table_out ? FCI : low;
    end else begin : logic_mode
      assign F = table_out;
      assign FCO = 1'b0;
    end
  endgenerate
  // of two tables, or of two such pairs
  assign OFX = IS_Z1 ? (M ? FXB : FXA) : (M ? F1 : F);
endmodule

module TRELLIS_FF #(parameter REGSET = "RESET") (input CLK, LSR, CE, DI, output reg Q);
  initial Q = REGSET == "SET";
  always @(posedge CLK)
    if (LSR) Q <= REGSET == "SET";
    else if (CE) Q <= DI;
endmodule

// What is written to LUT RAM: address and data by way of the inputs of two tables.
module TRELLIS_RAMW (
    input A0, B0, C0, D0, A1, B1, C1, D1, output WDO0, WDO1, WDO2, WDO3, WADO0, WADO1, WADO2, WADO3
);
  assign {WDO3, WDO2, WDO1, WDO0} = {B1, D1, A1, C1};
  assign {WADO3, WADO2, WADO1, WADO0} = {A0, C0, B0, D0};
endmodule

// Pads: sim/routed.py names them by their direction.
module TRELLIS_INPUT (input B, output O);
  assign O = B;
endmodule

module TRELLIS_OUTPUT (input I, output B);
  assign B = I;
endmodule

// Global clocks and the PLL are wires: simulated time is counted in cycles, not in nanoseconds. Domains of the pin and
// of the PLL so run at one rate.
module DCCA (input CLKI, CE, output CLKO);
  assign CLKO = CLKI & CE;
endmodule

module EHXPLLL (input CLKI, CLKFB, RST, STDBY, PHASESEL0, PHASESEL1, PHASEDIR, PHASESTEP, PHASELOADREG, PLLWAKESYNC,
                input ENCLKOP, output CLKOP, LOCK);
  assign CLKOP = CLKI;
  assign LOCK = 1'b1;
endmodule
