"""One unit for a project of one's own: the lead-lag neuron in formats of one's choice, as Verilog with a test bench."""

from leadlag.verilog import check, command

for row in command.listing("LeadLag"):
    print(row)
found = command.emit("LeadLag", ["state=Q4.8", "guard=2"], name="membrane", command="examples/unit_verilog.py")
print(found.folder, [path.name for path in found.files])
verdict = check.passes(found.folder, found.name)
assert verdict.passed
print(verdict.said)
