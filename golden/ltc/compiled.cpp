// golden.ltc.learn in C++: the same words, for the epochs of training on the chip. golden/ltc/compiled.py lays out what
// these structures point to, and golden/ltc/learn.py says what is computed.

#include <cstdint>
#include <cstring>
#include <algorithm>

struct Format {
    int64_t min, max;
};

// a chain of lanes: weights (rows, words), and what a tick multiplies its words by; the place in the cycle of numbers
// that each lane begins at
struct Chain {
    int64_t rows, words;
    int32_t *weight;
    int64_t *pre, *error, *below, *place;
};

struct Network {
    Chain alpha, rho, readout;
    Format state, sum, error, weight;
    int64_t inputs, size, outputs, streams, cut;
    int64_t state_bits, gate_bits, gate_shift, row_shift, weight_bits, error_bits, exp_bits, reciprocal_bits;
    int64_t threshold, adapt, adapt_shift, peak, step_shift, factor_bits, noise_bits, period, whole;
    int32_t *sigmoid, *exp;
    int64_t exp_depth, exp_high;
    int64_t *noise;
    int32_t *u, *b, *s, *y;                 // (streams, n)
    int64_t *x, *gates_a, *gates_r, *theta, *ut, *spike, *z, *gate, *now, *was_u, *was_b, *was_s, *was_y, *scratch;
    int64_t ticks, overflow_hidden, overflow_readout;
};

namespace {

int64_t round_shift(int64_t x, int64_t n) { return n <= 0 ? x << -n : (x + (int64_t(1) << (n - 1))) >> n; }
int64_t saturate(int64_t x, const Format &f) { return std::min(std::max(x, f.min), f.max); }

int64_t dot(const int32_t *w, const int64_t *x, int64_t count) {
    int64_t total = 0;
    for (int64_t k = 0; k < count; k++) total += w[k] * x[k];
    return total;
}

// gates (rows,) of a chain, whose weights begin at `first` of a lane
void gates(const Network &net, const Chain &c, int64_t words, int64_t *found) {
    for (int64_t i = 0; i < c.rows; i++) {
        int64_t sum = saturate(round_shift(dot(c.weight + i * c.words, c.pre, words), net.gate_shift), net.sum);
        found[i] = net.sigmoid[sum - net.sum.min];
    }
}

void read_out(Network &net) {
    const Chain &c = net.readout;
    const int64_t one = int64_t(1) << net.state_bits, words = 2 * c.rows + 1;
    int64_t *row = c.pre + words;
    for (int64_t k = 0; k < net.size; k++) row[k] = net.spike[k] * one;
    row[net.size] = one;
    for (int64_t j = 0; j < c.rows; j++) {
        net.z[j] = saturate(round_shift(dot(c.weight + j * c.words + words, row, net.size + 1), net.row_shift), net.state);
        c.pre[j] = net.was_y[j], c.pre[c.rows + j] = net.z[j];
    }
    c.pre[2 * c.rows] = one;
    gates(net, c, words, net.gate);
    for (int64_t j = 0; j < c.rows; j++)
        net.now[j] = saturate(net.was_y[j] + round_shift(net.gate[j] * (net.z[j] - net.was_y[j]), net.gate_bits), net.state);
}

void forward(Network &net, const int32_t *in) {
    const Chain &a = net.alpha, &r = net.rho;
    const int64_t one = int64_t(1) << net.state_bits, n = net.size, words = 2 * n + 1;
    std::fill(r.pre, r.pre + r.words, 0);
    for (int64_t k = 0; k < net.inputs + 1 + n; k++) {
        int64_t word = k < net.inputs ? in[k] : k == net.inputs ? one : net.was_s[k - net.inputs - 1] * one;
        (k < net.cut ? a.pre + words + k : r.pre + words + k - net.cut)[0] = word;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t total = dot(a.weight + i * a.words + words, a.pre + words, net.cut) +
                        dot(r.weight + i * r.words + words, r.pre + words, net.cut);
        net.x[i] = saturate(round_shift(total, net.row_shift), net.state);
        a.pre[i] = net.was_u[i], r.pre[i] = net.was_b[i], a.pre[n + i] = r.pre[n + i] = net.x[i];
    }
    a.pre[2 * n] = r.pre[2 * n] = one;
    gates(net, a, words, net.gates_a);
    gates(net, r, words, net.gates_r);
    for (int64_t i = 0; i < n; i++) {
        int64_t b = saturate(net.was_b[i] + round_shift(net.gates_r[i] * (net.was_s[i] * one - net.was_b[i]), net.gate_bits),
                             net.state);
        net.scratch[i] = b;
        net.theta[i] = net.threshold + round_shift(net.adapt * b, net.adapt_shift);
        net.ut[i] = saturate(net.was_u[i] + round_shift(net.gates_a[i] * (net.x[i] - net.was_u[i]), net.gate_bits), net.state);
        net.spike[i] = net.ut[i] > net.theta[i];
    }
    read_out(net);
}

int64_t gate_error(const Network &net, int64_t error, int64_t difference, int64_t gate) {
    int64_t part = saturate(round_shift(error * difference, net.state_bits), net.error);
    return saturate(round_shift(part * gate * ((int64_t(1) << net.gate_bits) - gate), 2 * net.gate_bits), net.error);
}

// columns of a chain's words first .. first + count - 1, of errors (rows,): added to `total`
void columns(const Chain &c, const int64_t *error, int64_t first, int64_t count, int64_t *total) {
    for (int64_t i = 0; i < c.rows; i++)
        for (int64_t k = 0; k < count; k++) total[k] += error[i] * c.weight[i * c.words + first + k];
}

bool at_end(const Network &net, const int64_t *error, int64_t count) {
    for (int64_t k = 0; k < count; k++)
        if (error[k] == net.error.min || error[k] == net.error.max) return true;
    return false;
}

void output_errors(Network &net, int64_t label, bool teach) {
    const Chain &c = net.readout;
    int64_t *dy = net.scratch, greatest = *std::max_element(net.now, net.now + c.rows), sum = 0;
    for (int64_t j = 0; j < c.rows; j++) {
        int64_t below = greatest - net.now[j];
        sum += dy[j] = below < net.exp_depth ? net.exp[below] : 0;
    }
    int64_t reciprocal = (int64_t(1) << net.reciprocal_bits) / sum, column[4096] = {};
    for (int64_t j = 0; j < c.rows; j++) {
        int64_t p = round_shift(dy[j] * reciprocal, net.reciprocal_bits - net.exp_bits);
        int64_t error = (j == label ? int64_t(1) << net.exp_bits : 0) - p;
        dy[j] = teach ? saturate(round_shift(error, net.exp_bits - net.error_bits), net.error) : 0;
        c.error[j] = gate_error(net, dy[j], net.z[j] - net.was_y[j], net.gate[j]);
    }
    columns(c, c.error, c.rows, c.rows, column);
    for (int64_t j = 0; j < c.rows; j++)
        c.below[j] = saturate(round_shift(dy[j] * net.gate[j], net.gate_bits) + round_shift(column[j], net.weight_bits),
                              net.error);
    net.overflow_readout |= at_end(net, c.error, c.rows) || at_end(net, c.below, c.rows);
}

void hidden_errors(Network &net) {
    const int64_t n = net.size, one = int64_t(1) << net.state_bits;
    const Chain &a = net.alpha, &r = net.rho;
    int64_t ds[4096] = {}, du[4096], column[4096] = {};
    columns(net.readout, net.readout.below, 2 * net.outputs + 1, n, ds);
    for (int64_t i = 0; i < n; i++) {
        ds[i] = saturate(round_shift(ds[i], net.weight_bits), net.error);
        int64_t away = net.ut[i] - net.theta[i], psi = std::max<int64_t>(0, net.peak - (away < 0 ? -away : away));
        du[i] = saturate(round_shift(ds[i] * psi, net.state_bits), net.error);
        a.error[i] = gate_error(net, du[i], net.x[i] - net.was_u[i], net.gates_a[i]);
        int64_t dk = saturate(round_shift(-net.adapt * du[i], net.adapt_shift), net.error);
        r.error[i] = gate_error(net, dk, net.was_s[i] * one - net.was_b[i], net.gates_r[i]);
    }
    columns(a, a.error, n, n, column);
    columns(r, r.error, n, n, column);
    for (int64_t i = 0; i < n; i++)
        a.below[i] = r.below[i] = saturate(round_shift(du[i] * net.gates_a[i], net.gate_bits) +
                                           round_shift(column[i], net.weight_bits), net.error);
    net.overflow_hidden |= at_end(net, ds, n) || at_end(net, a.error, n) || at_end(net, r.error, n) ||
                           at_end(net, a.below, n);
}

// a step of every word of a chain; `words` of them are gates
void move(const Network &net, const Chain &c, int64_t words, int64_t halve) {
    const int64_t shift = net.step_shift, bits = net.noise_bits;
    for (int64_t i = 0; i < c.rows; i++) {
        const int64_t *numbers = net.noise + (c.place[i] + net.ticks * c.words) % net.period;
        int32_t *w = c.weight + i * c.words;
        for (int64_t k = 0; k < c.words; k++) {
            int64_t noise = shift <= bits ? numbers[k] >> (bits - shift) : numbers[k] << (shift - bits);
            int64_t error = k < words ? c.error[i] : c.below[i];
            w[k] = saturate(w[k] + ((error * (c.pre[k] << net.factor_bits >> halve) + noise) >> shift), net.weight);
        }
    }
}

}  // namespace

#define PUBLIC extern "C" __attribute__((visibility("default")))

// ticks (count) of streams in turns from stream 0 on: in (count, streams, inputs), target (count, streams), labels with
// `fresh` apart; answers (count, streams, outputs)
PUBLIC void ltc_learn(Network *found, int64_t count, const int32_t *in, const int32_t *label, const bool *fresh,
                      const bool *learn, const bool *teach, int64_t halve, int32_t *answers) {
    Network &net = *found;
    const int64_t n = net.size, outputs = net.outputs;
    for (int64_t k = 0; k < count * net.streams; k++) {
        int64_t stream = k % net.streams;
        int32_t *u = net.u + stream * n, *b = net.b + stream * n, *s = net.s + stream * n, *y = net.y + stream * outputs;
        for (int64_t i = 0; i < n; i++)
            net.was_u[i] = fresh[k] ? 0 : u[i], net.was_b[i] = fresh[k] ? 0 : b[i], net.was_s[i] = fresh[k] ? 0 : s[i];
        for (int64_t j = 0; j < outputs; j++) net.was_y[j] = fresh[k] ? 0 : y[j];
        forward(net, in + k * net.inputs);
        for (int64_t i = 0; i < n; i++) u[i] = net.spike[i] ? 0 : net.ut[i], b[i] = net.scratch[i], s[i] = net.spike[i];
        for (int64_t j = 0; j < outputs; j++) answers[k * outputs + j] = y[j] = net.now[j];
        output_errors(net, label[k], teach[k]);
        if (net.whole) hidden_errors(net);
        if (learn[k]) {
            if (net.whole) move(net, net.alpha, 2 * n + 1, halve), move(net, net.rho, 2 * n + 1, halve);
            move(net, net.readout, 2 * outputs + 1, halve);
        }
        net.ticks++;
    }
}

// sequences (count, ticks, inputs), each from rest: answers (count, ticks, outputs)
PUBLIC void ltc_infer(Network *found, int64_t count, int64_t ticks, const int32_t *in, int32_t *answers) {
    Network &net = *found;
    for (int64_t k = 0; k < count; k++) {
        std::fill(net.was_u, net.was_u + net.size, 0), std::fill(net.was_b, net.was_b + net.size, 0);
        std::fill(net.was_s, net.was_s + net.size, 0), std::fill(net.was_y, net.was_y + net.outputs, 0);
        for (int64_t t = 0; t < ticks; t++) {
            forward(net, in + (k * ticks + t) * net.inputs);
            for (int64_t i = 0; i < net.size; i++)
                net.was_u[i] = net.spike[i] ? 0 : net.ut[i], net.was_b[i] = net.scratch[i], net.was_s[i] = net.spike[i];
            for (int64_t j = 0; j < net.outputs; j++) answers[(k * ticks + t) * net.outputs + j] = net.was_y[j] = net.now[j];
        }
    }
}
