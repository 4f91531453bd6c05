// Cycles of a tick of ODIN, from its first event to rest: a leak of all neurons, then spikes that each walk all 256
// synapses; its learning is off. Memories and settings are put in place directly: the SPI is not what is counted.
// Prints "TICK spikes cycles membrane", the membrane as a proof that the synapses were walked: weights are 1.
`timescale 1ns/1ps
module peer_tb;
    localparam N = 256;
    reg clk = 0, rst = 1, req = 0;
    reg [16:0] addr = 0;
    wire ack, out_req, miso;
    wire [7:0] out_addr;
    integer n, turn, spikes, began, cycle, sum;

    ODIN dut(.CLK(clk), .RST(rst), .SCK(1'b0), .MOSI(1'b0), .MISO(miso), .AERIN_ADDR(addr), .AERIN_REQ(req),
                 .AERIN_ACK(ack), .AEROUT_ADDR(out_addr), .AEROUT_REQ(out_req), .AEROUT_ACK(1'b0));

    always #5 clk = !clk;
    always @(posedge clk) cycle <= cycle + 1;

    task send(input [16:0] event_addr);
        begin
            addr = event_addr;
            req = 1;
            while (!ack) @(negedge clk);
            req = 0;
            while (ack) @(negedge clk);
        end
    endtask

    initial begin
        cycle = 0;
        sum = 0;
        for (n = 0; n < 8192; n = n + 1) dut.synaptic_core_0.synarray_0.SRAM[n] = 32'h11111111;
        for (n = 0; n < N; n = n + 1) dut.neuron_core_0.neurarray_0.SRAM[n] = 128'h1fe01;
        repeat (8) @(negedge clk);
        rst = 0;
        dut.spi_slave_0.SPI_GATE_ACTIVITY = 0;
        dut.spi_slave_0.SPI_OPEN_LOOP = 1;
        dut.spi_slave_0.SPI_AER_SRC_CTRL_nNEUR = 0;
        dut.spi_slave_0.SPI_SYN_SIGN = 0;
        dut.spi_slave_0.SPI_BURST_TIMEREF = 0;
        dut.spi_slave_0.SPI_OUT_AER_MONITOR_EN = 0;
        dut.spi_slave_0.SPI_MONITOR_NEUR_ADDR = 0;
        dut.spi_slave_0.SPI_MONITOR_SYN_ADDR = 0;
        dut.spi_slave_0.SPI_UPDATE_UNMAPPED_SYN = 0;
        dut.spi_slave_0.SPI_PROPAGATE_UNMAPPED_SYN = 1;
        dut.spi_slave_0.SPI_SDSP_ON_SYN_STIM = 0;
        repeat (20) @(negedge clk);
        for (turn = 0; turn < 3; turn = turn + 1) begin
            spikes = turn == 0 ? 1 : turn == 1 ? 10 : 100;
            sum = sum + spikes;
            began = cycle;
            send({1'b0, 8'd0, 8'h7f});
            for (n = 0; n < spikes; n = n + 1) send({1'b0, n[7:0], 8'h07});
            @(negedge clk);
            while (dut.controller_0.state != 0 || !dut.SCHED_EMPTY) @(negedge clk);
            $display("TICK %0d %0d %0d", spikes, cycle - began, dut.neuron_core_0.neurarray_0.SRAM[N - 1][77:70]);
            if (dut.neuron_core_0.neurarray_0.SRAM[0][77:70] != sum ||
                    dut.neuron_core_0.neurarray_0.SRAM[N - 1][77:70] != sum)
                $display("FAIL: the synapses were not walked");
        end
        $finish;
    end
endmodule
