// LTC networks that learn by FPTT, quickly: golden/train/ltc_closed.py has the gradients, golden/train/fptt.py the rule.
//
// Everything is float32, rows are sequences of a batch. Parameters lie one behind the other as golden.train.fptt.flat
// has them: a layer's dense, recurrent, bias, gate_bias, gate_old, gate_x; then the readout's weight, bias, gate,
// gate_bias. Products are those of the BLAS whose sgemm is handed over.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

using real = float;
using std::vector;
constexpr real ADAPT = 115.0f / 64.0f;

using Gemm = void (*)(const char*, const char*, const int*, const int*, const int*, const real*, const real*, const int*,
                      const real*, const int*, const real*, real*, const int*);

// exp(x) to 2e-7: 2^n times a polynomial; written so that a compiler makes vectors of it
inline real expo(real x) {
    x = x < -87.0f ? -87.0f : x > 87.0f ? 87.0f : x;
    real n = x * 1.44269504f + 12582912.0f;     // rounds to the nearest integer
    n -= 12582912.0f;
    const real f = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    real p = 1.9875691500e-4f;
    p = p * f + 1.3981999507e-3f;
    p = p * f + 8.3334519073e-3f;
    p = p * f + 4.1665795894e-2f;
    p = p * f + 1.6666665459e-1f;
    p = p * f + 5.0000001201e-1f;
    p = p * f * f + f + 1.0f;
    int32_t bits = (static_cast<int32_t>(n) + 127) << 23;
    real power;
    std::memcpy(&power, &bits, 4);
    return p * power;
}

inline real sigmoid(real v) { return 1.0f / (1.0f + expo(-v)); }

// 0.5 [1.15 N(z; 0, 0.3) - 0.15 N(z; 0.3, 1.8) - 0.15 N(z; -0.3, 1.8)]
inline real surrogate(real z) {
    const real a = z / 0.3f, b = (z - 0.3f) / 1.8f, c = (z + 0.3f) / 1.8f;
    return 0.764637932f * expo(-0.5f * a * a) - 0.0166225637f * (expo(-0.5f * b * b) + expo(-0.5f * c * c));
}

struct Layer {
    int inputs, size;
    const real *dense, *recurrent, *bias, *gate_bias, *gate_old, *gate_x;
    int64_t at;     // of its parameters in the vector
    // by tick: x, ut, psi (ticks, batch, size); lag, old, d (count, ticks, batch, size); spikes and old: a tick more
    vector<real> x, ut, psi, spikes, lag, old, d, dx, ds, g, gs;
    const real* given;
};

struct Net {
    vector<Layer> layers;
    int count, outputs, most_ticks, most_batch;
    real b0;
    bool gated, membrane;   // the readout has a gate; it reads u behind the reset in place of spikes
    int gates;              // 0: full, 1: diagonal, 2: constant
    Gemm gemm;
    int64_t readout;    // place of its parameters
    int ticks, batch;
    vector<real> z, gate, y, q, dz, dy, g;

    // what the readout reads, (ticks, batch, size)
    const real* read() const {
        const Layer& top = layers.back();
        return (membrane ? top.old.data() : top.spikes.data()) + int64_t(batch) * top.size;
    }
    // parameters of a gate by what it was, and as many by x
    int64_t wide(const Layer& l) const { return gates == 0 ? int64_t(l.size) * l.size : gates == 1 ? l.size : 0; }
    int64_t plane(const Layer& l) const { return int64_t(most_ticks + 1) * batch * l.size; }

    // c (m, n) = scale c + a (m, k) w^T, w (n, k) in rows of `wide`
    void rows(int m, int n, int k, const real* a, const real* w, int wide, real* c, real scale) const {
        const real one = 1;
        gemm("T", "N", &n, &m, &k, &one, w, &wide, a, &k, &scale, c, &n);
    }
    // c (m, n) += a (m, k) w, w (k, n) in rows of `wide`
    void back(int m, int n, int k, const real* a, const real* w, int wide, real* c, real scale = 1) const {
        const real one = 1;
        gemm("N", "N", &n, &m, &k, &one, w, &wide, a, &k, &scale, c, &n);
    }
    // c (n, k) += d^T a over m rows, d (m, n), a (m, k); c in rows of `wide`
    void outer(int m, int n, int k, const real* d, const real* a, real* c, int wide) const {
        const real one = 1;
        gemm("N", "T", &k, &n, &m, &one, a, &k, d, &n, &one, c, &wide);
    }
};

void place(Net& net, const real* w) {
    for (Layer& l : net.layers) {
        const int64_t h = l.size;
        l.dense = w + l.at;
        l.recurrent = l.dense + h * l.inputs;
        l.bias = l.recurrent + h * h;
        l.gate_bias = l.bias + h;
        l.gate_old = l.gate_bias + net.count * h;
        l.gate_x = l.gate_old + net.count * net.wide(l);
    }
}

// copies of a row of n values, `m` times
void spread(const real* row, int m, int n, real* into) {
    for (int i = 0; i < m; i++) std::memcpy(into + int64_t(i) * n, row, n * sizeof(real));
}

void sum_rows(const real* rows, int m, int n, real* into) {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) into[j] += rows[int64_t(i) * n + j];
}

// c += a w over m rows, w (n,)
void scaled(int m, int n, const real* a, const real* w, real* c) {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) c[int64_t(i) * n + j] += a[int64_t(i) * n + j] * w[j];
}

// w += sum over m rows of a b
void products(int m, int n, const real* a, const real* b, real* w) {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) w[j] += a[int64_t(i) * n + j] * b[int64_t(i) * n + j];
}

void neurons(int64_t n, int64_t at, int64_t after, int64_t plane, int count, real b0, real* lag, real* old, const real* x,
             const real* s, real* sent, real* ut, real* psi) {
    real *lag1 = lag + plane, *old1 = old + plane;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const real a = sigmoid(lag[at + i]), u = old[at + i] + a * (x[i] - old[at + i]);
        real theta = b0;
        lag[at + i] = a;
        if (count == 2) {
            const real r = sigmoid(lag1[at + i]), b = old1[at + i] + r * (s[i] - old1[at + i]);
            lag1[at + i] = r;
            old1[after + i] = b;
            theta = b0 + ADAPT * b;
        }
        const real v = u - theta, spike = v > 0 ? 1.0f : 0.0f;
        sent[i] = spike;
        ut[i] = u;
        psi[i] = surrogate(v);
        old[after + i] = u * (1 - spike);
    }
}

void forward_layer(const Net& net, Layer& l, const real* given) {
    const int h = l.size, b = net.batch, t_end = net.ticks;
    const int64_t n = int64_t(b) * h, plane = net.plane(l);
    l.given = given;
    spread(l.bias, t_end * b, h, l.x.data());
    net.rows(t_end * b, h, l.inputs, given, l.dense, l.inputs, l.x.data(), 1);
    for (int t = 0; t < t_end; t++) {
        real *x = l.x.data() + t * n, *s = l.spikes.data() + t * n;
        net.rows(b, h, h, s, l.recurrent, h, x, 1);
        for (int g = 0; g < net.count; g++) {
            real* sum = l.lag.data() + g * plane + t * n;
            const real *old = l.old.data() + g * plane + t * n, *of_old = l.gate_old + g * net.wide(l);
            const real* of_x = l.gate_x + g * net.wide(l);
            spread(l.gate_bias + g * h, b, h, sum);
            if (net.gates == 0) {
                net.rows(b, h, h, old, of_old, h, sum, 1);
                net.rows(b, h, h, x, of_x, h, sum, 1);
            } else if (net.gates == 1) {
                scaled(b, h, old, of_old, sum);
                scaled(b, h, x, of_x, sum);
            }
        }
        neurons(n, t * n, (t + 1) * n, plane, net.count, net.b0, l.lag.data(), l.old.data(), x, s, s + n,
                l.ut.data() + t * n, l.psi.data() + t * n);
    }
}

// asks_u: ds is what is asked of u behind the reset, not of spikes
void deltas(int64_t n, int64_t at, int64_t plane, int count, bool asks_u, Layer& l) {
    const real *lag = l.lag.data() + at, *old = l.old.data() + at, *x = l.x.data() + at, *s = l.spikes.data() + at;
    const real *ut = l.ut.data() + at, *psi = l.psi.data() + at, *ds = l.ds.data() + at, *sent = s + n;
    real *d = l.d.data() + at, *dx = l.dx.data() + at, *g = l.g.data(), *gs = l.gs.data();
    const real of_s = asks_u ? 0.0f : 1.0f, of_u = 1 - of_s;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; i++) {
        const real gu = g[i] + of_u * ds[i], kick = psi[i] * (of_s * ds[i] + gs[i] - gu * ut[i]);
        const real dut = gu * (1 - sent[i]) + kick, a = lag[i];
        d[i] = dut * (x[i] - old[i]) * a * (1 - a);
        dx[i] = a * dut;
        g[i] = (1 - a) * dut;
        gs[i] = 0;
        if (count == 2) {
            const real db = g[n + i] - ADAPT * kick, r = lag[plane + i];
            d[plane + i] = db * (s[i] - old[plane + i]) * r * (1 - r);
            g[n + i] = (1 - r) * db;
            gs[i] = r * db;
        }
    }
}

// from l.ds on; adds to the gradient, and writes what the layer below is asked for to `below`, where there is one
void backward_layer(const Net& net, Layer& l, real* gradient, real* below) {
    const bool asks_u = net.membrane && &l == &net.layers.back();
    const int h = l.size, b = net.batch, count = net.count;
    const int64_t n = int64_t(b) * h, plane = net.plane(l), wide = net.wide(l);
    std::fill(l.g.begin(), l.g.end(), 0.0f);
    std::fill(l.gs.begin(), l.gs.end(), 0.0f);
    for (int t = net.ticks - 1; t >= 0; t--) {
        deltas(n, t * n, plane, count, asks_u, l);
        for (int g = 0; g < count; g++) {
            const real* d = l.d.data() + g * plane + t * n;
            if (net.gates == 0) {
                net.back(b, h, h, d, l.gate_x + g * wide, h, l.dx.data() + t * n);
                if (t) net.back(b, h, h, d, l.gate_old + g * wide, h, l.g.data() + g * n);
            } else if (net.gates == 1) {
                scaled(b, h, d, l.gate_x + g * wide, l.dx.data() + t * n);
                scaled(b, h, d, l.gate_old + g * wide, l.g.data() + g * n);
            }
        }
        if (t) net.back(b, h, h, l.dx.data() + t * n, l.recurrent, h, l.gs.data());
    }
    const int all = net.ticks * b;
    real* into = gradient + l.at;
    net.outer(all, h, l.inputs, l.dx.data(), l.given, into, l.inputs);
    into += int64_t(h) * l.inputs;
    net.outer(all, h, h, l.dx.data(), l.spikes.data(), into, h);
    into += int64_t(h) * h;
    sum_rows(l.dx.data(), all, h, into);
    into += h;
    for (int g = 0; g < count; g++) {
        const real* d = l.d.data() + g * plane;
        sum_rows(d, all, h, into + g * h);
        const real* old = l.old.data() + g * plane;
        real *of_old = into + count * h + g * wide, *of_x = of_old + count * wide;
        if (net.gates == 0) {
            net.outer(all, h, h, d, old, of_old, h);
            net.outer(all, h, h, d, l.x.data(), of_x, h);
        } else if (net.gates == 1) {
            products(all, h, d, old, of_old);
            products(all, h, d, l.x.data(), of_x);
        }
    }
    if (below) net.back(all, l.inputs, h, l.dx.data(), l.dense, l.inputs, below, 0);
}

void forward_readout(Net& net, const real* w) {
    const Layer& top = net.layers.back();
    const int c = net.outputs, h = top.size, all = net.ticks * net.batch, n = net.batch * c;
    const real *weight = w + net.readout, *bias = weight + int64_t(c) * h, *gate = bias + c, *gate_bias = gate + 2 * c * c;
    const real* sent = net.read();
    spread(bias, all, c, net.z.data());
    net.rows(all, c, h, sent, weight, h, net.z.data(), 1);
    if (!net.gated) {
        std::memcpy(net.y.data() + n, net.z.data(), int64_t(all) * c * sizeof(real));
        return;
    }
    spread(gate_bias, all, c, net.gate.data());
    net.rows(all, c, c, net.z.data(), gate, 2 * c, net.gate.data(), 1);
    for (int t = 0; t < net.ticks; t++) {
        real *a = net.gate.data() + t * n, *y = net.y.data() + t * n, *z = net.z.data() + t * n;
        net.rows(net.batch, c, c, y, gate + c, 2 * c, a, 1);
        for (int i = 0; i < n; i++) {
            a[i] = sigmoid(a[i]);
            y[n + i] = y[i] + a[i] * (z[i] - y[i]);
        }
    }
}

// dz and q of what is asked of the outputs
void gate_back(Net& net, const real* gate) {
    const int c = net.outputs, n = net.batch * c;
    std::fill(net.g.begin(), net.g.end(), 0.0f);
    for (int t = net.ticks - 1; t >= 0; t--) {
        real *q = net.q.data() + t * n, *dz = net.dz.data() + t * n, *g = net.g.data();
        const real *a = net.gate.data() + t * n, *y = net.y.data() + t * n, *z = net.z.data() + t * n;
        const real* dy = net.dy.data() + t * n;
        for (int i = 0; i < n; i++) {
            const real asked = g[i] + dy[i];
            q[i] = asked * (z[i] - y[i]) * a[i] * (1 - a[i]);
            dz[i] = a[i] * asked;
            g[i] = (1 - a[i]) * asked;
        }
        net.back(net.batch, c, c, q, gate, 2 * c, dz);
        net.back(net.batch, c, c, q, gate + c, 2 * c, g);
    }
}

void backward_readout(Net& net, const real* w, real* gradient) {
    Layer& top = net.layers.back();
    const int c = net.outputs, h = top.size, all = net.ticks * net.batch;
    const real *weight = w + net.readout, *gate = weight + int64_t(c) * h + c, *dz = net.dz.data();
    if (net.gated) gate_back(net, gate);
    else dz = net.dy.data();
    real* into = gradient + net.readout;
    net.outer(all, c, h, dz, net.read(), into, h);
    into += int64_t(c) * h;
    sum_rows(dz, all, c, into);
    into += c;
    if (net.gated) {
        net.outer(all, c, c, net.q.data(), net.z.data(), into, 2 * c);
        net.outer(all, c, c, net.q.data(), net.y.data(), into + c, 2 * c);
        sum_rows(net.q.data(), all, c, into + 2 * c * c);
    }
    net.back(all, h, c, dz, weight, h, top.ds.data(), 0);
}

// weighted cross-entropy, and what is held to equal probabilities; its gradient by the outputs in dy
real loss(Net& net, const int64_t* label, const real* weight, const real* counts) {
    const int c = net.outputs, n = net.batch * c;
    double total = 0;
    for (int t = 0; t < net.ticks; t++)
        for (int b = 0; b < net.batch; b++) {
            const real* y = net.y.data() + (t + 1) * n + b * c;
            real *dy = net.dy.data() + t * n + b * c, most = y[0], sum = 0;
            const real w = weight[t * net.batch + b], rest = counts ? (counts[t * net.batch + b] - w) / c : 0;
            for (int k = 1; k < c; k++) most = y[k] > most ? y[k] : most;
            for (int k = 0; k < c; k++) sum += dy[k] = expo(y[k] - most);
            const real log_sum = std::log(sum) + most;
            for (int k = 0; k < c; k++) {
                const real target = w * (k == label[b]) + rest / c;
                total += target * (log_sum - y[k]);
                dy[k] = ((w + rest) * dy[k] / sum - target) / net.batch;
            }
        }
    return real(total / net.batch);
}

// weighted squared error to targets (batch, outputs), a sequence's share of the batch; its gradient in dy
real squared(Net& net, const real* target, const real* weight) {
    const int c = net.outputs, n = net.batch * c;
    double total = 0;
    for (int t = 0; t < net.ticks; t++)
        for (int i = 0; i < n; i++) {
            const real w = weight[t * net.batch + i / c] / n, off = net.y[(t + 1) * n + i] - target[i];
            total += w * off * off;
            net.dy[t * n + i] = 2 * w * off;
        }
    return real(total);
}

}  // namespace

// How weights move: golden.train.fptt; rate 0 of a second moment (adam = 0) is plain descent.
struct Rule {
    int64_t size, adam, updates;
    float *w, *gradient, *wbar, *lam, *first, *second;
    float alpha, beta, clip, rate, decay;
};

namespace {

void update(Rule& rule) {
    const int64_t n = rule.size;
    real *w = rule.w, *g = rule.gradient;
    if (rule.alpha > 0)
        for (int64_t i = 0; i < n; i++) g[i] += rule.alpha * (w[i] - rule.wbar[i]) - rule.lam[i];
    real scale = 1;
    if (rule.clip > 0) {
        real sums[64] = {};
        for (int64_t i = 0; i < n / 64 * 64; i += 64)
            for (int k = 0; k < 64; k++) sums[k] += g[i + k] * g[i + k];
        double square = 0;
        for (real sum : sums) square += sum;
        for (int64_t i = n / 64 * 64; i < n; i++) square += g[i] * g[i];
        const double norm = std::sqrt(square);
        scale = norm > rule.clip ? real(rule.clip / (norm + 1e-6)) : 1;
    }
    rule.updates++;
    const real keep = 1 - rule.rate * rule.decay;
    if (rule.adam) {
        const double one = 1 - std::pow(0.9, rule.updates), two = std::sqrt(1 - std::pow(0.999, rule.updates));
        const real step = real(rule.rate / one), root = real(1 / two);
        for (int64_t i = 0; i < n; i++) {
            const real d = g[i] * scale;
            rule.first[i] += 0.1f * (d - rule.first[i]);
            rule.second[i] += 0.001f * (d * d - rule.second[i]);
            w[i] = w[i] * keep - step * rule.first[i] / (std::sqrt(rule.second[i]) * root + 1e-8f);
        }
    } else {
        for (int64_t i = 0; i < n; i++) w[i] = w[i] * keep - rule.rate * scale * g[i];
    }
    if (rule.alpha > 0) {
        const real ratio = rule.beta / rule.alpha;
        for (int64_t i = 0; i < n; i++) {
            rule.lam[i] -= rule.alpha * (w[i] - rule.wbar[i]);
            rule.wbar[i] += rule.beta * (w[i] - rule.wbar[i]) - ratio * rule.lam[i];
        }
    }
    std::memset(g, 0, n * sizeof(real));
}

void forward(Net& net, const real* w, const real* x) {
    place(net, w);
    for (Layer& l : net.layers) {
        forward_layer(net, l, x);
        x = l.spikes.data() + int64_t(net.batch) * l.size;
    }
    forward_readout(net, w);
}

void backward(Net& net, const real* w, real* gradient) {
    backward_readout(net, w, gradient);
    for (size_t n = net.layers.size(); n-- > 0;)
        backward_layer(net, net.layers[n], gradient, n ? net.layers[n - 1].ds.data() : nullptr);
}

// what the last tick has left becomes the state before the first one; or rest
void begin(Net& net, bool rest) {
    for (Layer& l : net.layers) {
        const int64_t n = int64_t(net.batch) * l.size, plane = net.plane(l);
        for (int g = 0; g < net.count; g++) {
            real* old = l.old.data() + g * plane;
            rest ? std::memset(old, 0, n * sizeof(real)) : std::memcpy(old, old + net.ticks * n, n * sizeof(real));
        }
        real* s = l.spikes.data();
        rest ? std::memset(s, 0, n * sizeof(real)) : std::memcpy(s, s + net.ticks * n, n * sizeof(real));
    }
    const int64_t n = int64_t(net.batch) * net.outputs;
    real* y = net.y.data();
    rest ? std::memset(y, 0, n * sizeof(real)) : std::memcpy(y, y + net.ticks * n, n * sizeof(real));
}

}  // namespace

#define SHARED extern "C" __attribute__((visibility("default")))

// sizes: inputs, of each layer, outputs; count: gates a neuron has, 1 or 2
SHARED Net* make(const int64_t* sizes, int64_t layers, int64_t count, float b0, int64_t gates, int64_t gated,
                 int64_t membrane, int64_t ticks, int64_t batch, void* gemm) {
    Net* net = new Net();
    net->gates = gates, net->gated = gated, net->membrane = membrane;
    net->count = count, net->b0 = b0, net->most_ticks = ticks, net->most_batch = batch;
    net->outputs = sizes[layers + 1], net->gemm = reinterpret_cast<Gemm>(gemm);
    int64_t at = 0;
    for (int64_t k = 0; k < layers; k++) {
        Layer l{};
        l.inputs = sizes[k], l.size = sizes[k + 1], l.at = at;
        at += int64_t(l.size) * (l.inputs + l.size + 1 + count) + 2 * count * net->wide(l);
        const int64_t n = batch * l.size;
        for (vector<real>* part : {&l.x, &l.ut, &l.psi, &l.dx, &l.ds}) part->resize(ticks * n);
        l.spikes.resize((ticks + 1) * n);
        for (vector<real>* part : {&l.lag, &l.old, &l.d}) part->resize(count * (ticks + 1) * n);
        l.g.resize(count * n), l.gs.resize(n);
        net->layers.push_back(std::move(l));
    }
    net->readout = at;
    const int64_t n = batch * net->outputs;
    for (vector<real>* part : {&net->z, &net->gate, &net->q, &net->dz, &net->dy}) part->resize(ticks * n);
    net->y.resize((ticks + 1) * n), net->g.resize(n);
    return net;
}

SHARED void drop(Net* net) { delete net; }

// a batch of whole sequences x (ticks, batch, inputs), an update behind every `span` ticks; the sum of the parts' losses.
// Held to labels (batch,), or where there are none to targets (batch, outputs)
SHARED double learn(Net* net, Rule* rule, const float* x, const int64_t* label, const float* target, const float* weight,
                    const float* counts, int64_t ticks, int64_t batch, int64_t span) {
    double total = 0;
    const int64_t wide = batch * net->layers[0].inputs;
    net->batch = batch, net->ticks = 0;
    for (int64_t at = 0; at < ticks; at += span) {
        begin(*net, at == 0);
        net->ticks = int(span < ticks - at ? span : ticks - at);
        forward(*net, rule->w, x + at * wide);
        const float* share = weight + at * batch;
        total += label ? loss(*net, label, share, counts ? counts + at * batch : nullptr) : squared(*net, target, share);
        backward(*net, rule->w, rule->gradient);
        update(*rule);
    }
    return total;
}

// outputs (ticks, batch, outputs) of whole sequences, and the share of neurons that spike, in each layer
SHARED void run(Net* net, const float* w, const float* x, int64_t ticks, int64_t batch, float* y, double* rates) {
    net->batch = batch, net->ticks = 0;
    const int64_t span = net->most_ticks, wide = batch * net->layers[0].inputs, n = batch * net->outputs;
    for (int64_t at = 0; at < ticks; at += span) {
        begin(*net, at == 0);
        net->ticks = int(span < ticks - at ? span : ticks - at);
        forward(*net, w, x + at * wide);
        std::memcpy(y + at * n, net->y.data() + n, net->ticks * n * sizeof(float));
        for (size_t k = 0; k < net->layers.size(); k++) {
            const int64_t size = batch * net->layers[k].size;
            double sum = 0;
            for (int64_t i = size; i < (net->ticks + 1) * size; i++) sum += net->layers[k].spikes[i];
            rates[k] += sum / (ticks * size);
        }
    }
}
