// Ticks of golden.rate.learn and golden.rate.engine in machine code, the same words bit for bit. golden/rate/compiled.py fills in the
// structures, and reads off this text what is in them: int64_t, pointers, and structures from further up.
//
// Neurons are worked on in 64 bits, N at a time. Sums over weights run through doubles: integers below 2**53, in any
// order (MATMUL_BITS). Weights move in 32 bits, M at a time, where the product with this error has room in them, else
// in 64. A row of weights is [bias, weights, zeros], a message [1.0, rates, zeros], and arrays of neurons end in zeros,
// too: vectors need no rest. They are those of GCC and clang, so any processor will do.
#include <cstdint>
#include <cstring>
#include <utility>
#ifdef __AVX512BW__
#include <immintrin.h>
#endif

// sat to [min, max]
struct Format { int64_t min, max; };

// round_shift: (x * 2**left + half) / 2**right, one of the shifts being 0
struct Shift { int64_t left, half, right; };

// plasticity_step: sat(w + (((product << left) >> right) + noise >> BITS)), one of the shifts being 0. This is the
// definition, as noise is then of BITS bits: what it rounds off below them never reaches the sum.
struct Step { int64_t left, right; Format out; };

// phi or phi': sat(T(x) + round_shift(clip(x)) + (one if from <= x < to)), without what the function does not have;
// a word of the table is the left edge in its lower half and the rise in its upper half
struct Function {
    int64_t *table, segments, t, limit, below, above;
    Shift interpolate;
    int64_t is_clipped;
    Format clip;
    Shift shift;
    int64_t one, from, to;
    Format out;
};

// leadlag_step; where tau_m is learnt, the lead is made of two words by `made` and `lead_out`
struct Filter { Shift lead, lag, made; int64_t guard; Format lead_out, x, y; };

// The way of a message (golden.units.extrapolator). Where in the words of a stream its messages are: a ring of depth + 1, the
// distance of two, and where the place of the newest is.
struct Ring { int64_t line, depth, position; };

struct Way {
    int64_t size, message, delay;
    Ring ring, history;
    // the predictor: none, a sum of products, or neural; words that it sees, taps (coefficients, stride)
    int64_t predicts, is_neural, spacing, words, stride;
    int32_t* taps;
    Shift shift;
    Format out;
    // taps that learn; `one` is 1.0
    int64_t has_taps, learns, up, quiet, noise, one;
    Format gain;
    // hidden units
    int64_t hidden, frac, rate_bits;
    Shift hidden_shift;
    Format hidden_out;
    Function tanh;
    // lanes in which a prediction was not sent
    int64_t* lost;
};

struct Layer {
    // sizes; distance of two rows of weights; magnitude of the largest word of a message, or 1.0
    int64_t inputs, outputs, row, largest;
    int32_t *weight, *lead, *lag, *error_lead, *error_lag, *tau, *tau_r;
    // where the words of a stream are; messages into the layer, and errors that it sends down
    int64_t u, v, slope;
    Way way, error_way;
    // the neurons
    Shift sum_shift;
    Filter membrane;
    Function rate;
    // the errors
    int64_t is_plastic, is_filtered, is_pulled, sends_errors, learns_tau;
    Format error, error_below;
    Shift slope_shift, pull_shift, back_shift;
    Filter filter;
    Function derivative;
    // the steps of the parameters; what an error counts as where only its sign does, else 0; the first numbers of the
    // registers in tick 0, and how many a tick takes
    int64_t learns_weight, learns_bias, sign_word;
    Step weight_step, tau_step;
    int64_t *row_noise, noise_a_tick, tau_noise;
    int64_t tau_min, lag_one;
    Shift tau_lag_shift, lag_shift;
    Format lag_out, increment;
    // scratch; `overflow` collects the lanes in which an error word saturated
    int32_t* eps;
    double *message_in, *back;
    int64_t *sums, *overflow;
};

struct Network {
    Layer* layers;
    int64_t count, first_plastic, streams;
    // words of a stream, one stream after the other; those of a stream at rest; those of a stream that only infers
    int64_t block, rate;
    int32_t *activity, *rest, *spare;
    // the teacher
    int64_t is_cross_entropy, targets;
    Shift loss_shift;
    Function exponential;
    int32_t *target, *output_error;
    // numbers of the register, and ticks in which errors ran
    int32_t* noise;
    int64_t period, ticks;
};

// what `run` writes down after every tick: rows of words of the stream (source is null) or of an array;
// of a delay line (position >= 0), those of its newest message
struct Record {
    int32_t *source, *out;
    int64_t offset, rows, length, distance, position, message;
};

namespace {

#ifdef __AVX512BW__
constexpr int BYTES = 64;
#elif __AVX2__
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif
constexpr int N = BYTES / 8, M = BYTES / 4, NOISE_BITS = 17, EXP_BITS = 15, RECIPROCAL_BITS = 31;
// for a number of the register and a weight
constexpr int64_t ROOM = 1 << 18;

typedef int64_t Long __attribute__((vector_size(BYTES)));
typedef double Double __attribute__((vector_size(BYTES)));
typedef int32_t Int __attribute__((vector_size(BYTES)));
typedef int32_t Half __attribute__((vector_size(BYTES / 2)));

template <class V, class T> V get(const T* from) {
    V v;
    memcpy(&v, from, sizeof v);
    return v;
}
template <class V, class T> void put(T* to, V v) { memcpy(to, &v, sizeof v); }

void store(int32_t* to, Long v) { put(to, __builtin_convertvector(v, Half)); }

// What one instruction does where the compiler would not find it.
#ifdef __AVX512BW__
Long load(const int32_t* from) { return Long(_mm512_cvtepi32_epi64(get<__m256i>(from))); }
Double to_double(const int32_t* from) { return Double(_mm512_cvtepi32_pd(get<__m256i>(from))); }
Long times(Long a, Long b) { return Long(_mm512_mul_epi32(__m512i(a), __m512i(b))); }
Int times_small(Int a, int32_t b) { return Int(_mm512_madd_epi16(__m512i(a), _mm512_set1_epi32(b & 0xFFFF))); }
Long look_up(const int64_t* words, Long at) { return Long(_mm512_i64gather_epi64(__m512i(at), words, 8)); }
#else
Long load(const int32_t* from) { return __builtin_convertvector(get<Half>(from), Long); }
Double to_double(const int32_t* from) { return __builtin_convertvector(get<Half>(from), Double); }
// of factors of 32 bits
Long times(Long a, Long b) { return a * b; }
// of factors of 16 bits
Int times_small(Int a, int32_t b) { return a * b; }
Long look_up(const int64_t* words, Long at) {
    Long found;
    for (int i = 0; i < N; i++) found[i] = words[at[i]];
    return found;
}
#endif

template <class V> V clip(V x, V low, V high) {
    x = x < low ? low : x;
    return x > high ? high : x;
}
Long all(int64_t x) { return Long{} + x; }
Int all_int(int64_t x) { return Int{} + int32_t(x); }
Long saturate(Long x, const Format& f) { return clip(x, all(f.min), all(f.max)); }
Long round_right(Long x, const Shift& s) { return (x + all(s.half)) >> all(s.right); }
Long round_shift(Long x, const Shift& s) { return round_right(x << all(s.left), s); }

int64_t total(Long v) {
    int64_t sum = 0;
    for (int i = 0; i < N; i++) sum += v[i];
    return sum;
}

int64_t largest(Long v) {
    int64_t most = v[0];
    for (int i = 1; i < N; i++) most = v[i] > most ? v[i] : most;
    return most;
}

// Sums of neighbours, those of a before those of b.
template <int... I> Double neighbours(Double a, Double b, std::integer_sequence<int, I...>) {
#ifdef __clang__
    return __builtin_shufflevector(a, b, 2 * I...) + __builtin_shufflevector(a, b, 2 * I + 1 ...);
#else
    return __builtin_shuffle(a, b, Long{2 * I...}) + __builtin_shuffle(a, b, Long{2 * I + 1 ...});
#endif
}

// The sum of each of N vectors.
Double totals(const Double* v) {
    constexpr auto lanes = std::make_integer_sequence<int, N>();
    Double sum[N];
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) sum[i] = v[i];
#pragma GCC unroll 4
    for (int n = N / 2; n; n /= 2)
#pragma GCC unroll 8
        for (int i = 0; i < n; i++) sum[i] = neighbours(sum[2 * i], sum[2 * i + 1], lanes);
    return sum[0];
}

// Numbers of the neurons from `first` on.
Long numbers(int64_t first) {
    Long lane;
    for (int i = 0; i < N; i++) lane[i] = i;
    return lane + first;
}

// All bits of those that exist, none of those that fill a vector.
Long existing(int64_t first, int64_t count) { return numbers(first) < all(count); }

Long evaluate(const Function& f, Long x) {
    Long y = {};
    if (f.segments) {
        Long index = clip((x >> all(f.t)) + all(f.segments >> 1), Long{}, all(f.segments - 1));
        Long word = look_up(f.table, index), offset = x & all((int64_t(1) << f.t) - 1);
        y = (word << 32 >> 32) + round_right(times(word >> 32, offset), f.interpolate);
        y = x < all(-f.limit) ? all(f.below) : x >= all(f.limit) ? all(f.above) : y;
    }
    if (f.is_clipped) y += round_shift(saturate(x, f.clip), f.shift);
    if (f.one) y += (x >= all(f.from)) & (x < all(f.to)) & all(f.one);
    return saturate(y, f.out);
}

Long make_lead(const Filter& f, const int32_t* tau, const int32_t* lag) {
    return saturate(round_shift(times(load(tau), load(lag)), f.made), f.lead_out);
}

struct LeadLag { Long x, y, move; };

LeadLag leadlag(const Filter& f, Long x, Long in, Long lead, Long lag) {
    Long seen = x >> all(f.guard), d = in - seen, move = round_right(times(lag, d), f.lag);
    return {saturate(x + move, f.x), saturate(seen + round_right(times(lead, d), f.lead), f.y), move};
}

Long moved(Long w, Long product, Long noise, const Step& s) {
    return saturate(w + (((product << all(s.left) >> all(s.right)) + noise) >> NOISE_BITS), s.out);
}

// ---- rows of weights

// W x of a message, and W^T eps: sums of integers below 2**53, in any order.
template <bool SENDS> void sum_rows(const Layer& l, const int32_t* x) {
    const int64_t words = l.inputs + 1, row = l.row;
    double *in = l.message_in, *back = l.back;
    for (int64_t j = 0; j < words; j += N) {
        put(in + j, to_double(x + j));
        if (SENDS) put(back + j, Double{});
    }
    for (int64_t o = 0; o < l.outputs; o += N) {
        const int32_t* w = l.weight + o * row;
        Double sums[N], eps[N];
#pragma GCC unroll 8
        for (int r = 0; r < N; r++) {
            sums[r] = Double{};
            if (SENDS) eps[r] = __builtin_convertvector(all(l.eps[o + r]), Double);
        }
        for (int64_t j = 0; j < words; j += N) {
            Double message = get<Double>(in + j), error;
            if (SENDS) error = get<Double>(back + j);
#pragma GCC unroll 8
            for (int r = 0; r < N; r++) {
                Double weights = to_double(w + r * row + j);
                sums[r] += weights * message;
                if (SENDS) error += weights * eps[r];
            }
            if (SENDS) put(back + j, error);
        }
        put(l.sums + o, __builtin_convertvector(totals(sums), Long));
    }
}

// A row's words of the next tick; `eps` has s.left in it already.
template <bool SMALL>
void move_row(int32_t* w, const int32_t* x, const int32_t* noise, int32_t eps, const Step& s, int64_t words) {
    const Int low = all_int(s.out.min), high = all_int(s.out.max), right = all_int(s.right > 31 ? 31 : s.right);
    for (int64_t j = 0; j < words; j += M) {
        Int product = SMALL ? times_small(get<Int>(x + j), eps) : get<Int>(x + j) * eps;
        Int step = ((product >> right) + get<Int>(noise + j)) >> NOISE_BITS;
        put(w + j, clip(get<Int>(w + j) + step, low, high));
    }
}

void move_row_wide(int32_t* w, const int32_t* x, const int32_t* noise, int32_t eps, const Step& s, int64_t words) {
    for (int64_t j = 0; j < words; j += N)
        store(w + j, moved(load(w + j), times(load(x + j), all(eps)), load(noise + j), s));
}

// W and b of the next tick.
void move_rows(const Layer& l, const Network& net, const int32_t* x) {
    const int64_t words = l.inputs + 1, tick = net.ticks % net.period * l.noise_a_tick % net.period;
    const Step s = l.weight_step;
    for (int64_t o = 0; o < l.outputs; o++) {
        int32_t *w = l.weight + o * l.row, bias = w[0];
        int64_t eps = l.eps[o];
        if (!eps) continue;     // noise alone never reaches the last bit of a weight
        if (l.sign_word) eps = eps < 0 ? -l.sign_word : l.sign_word;
        int64_t scaled = eps * (int64_t(1) << s.left), size = scaled < 0 ? -scaled : scaled;
        int64_t place = l.row_noise[o] + tick;
        const int32_t* noise = net.noise + (place >= net.period ? place - net.period : place);
        if (size < 1 << 15 && l.largest <= 1 << 15) move_row<true>(w, x, noise, scaled, s, words);
        else if (size * l.largest < INT32_MAX - ROOM) move_row<false>(w, x, noise, scaled, s, words);
        else move_row_wide(w, x, noise, eps, s, words);
        if (!l.learns_bias) w[0] = bias;
    }
}

// ---- layers

const int32_t* at(const Way& w, const Ring& r, const int32_t* stream, int64_t age) {
    int64_t place = stream[r.position] + age;
    return stream + r.line + (place > r.depth ? place - r.depth - 1 : place) * w.message;
}

// [1.0, words] that arrive now.
const int32_t* read(const Way& w, const int32_t* stream) {
    return w.predicts && !w.delay ? at(w, w.history, stream, 0) : at(w, w.ring, stream, w.delay);
}

// Room for the newest message.
int32_t* push(const Way& w, const Ring& r, int32_t* stream) {
    int32_t& place = stream[r.position];
    place = place ? place - 1 : int32_t(r.depth);
    return stream + r.line + place * w.message + 1;
}

int32_t* push(const Way& w, int32_t* stream) { return push(w, w.predicts ? w.history : w.ring, stream); }

// ---- predictors

Long bit_length(Long x, int64_t least) {
    for (int i = 0; i < N; i++) {
        int64_t bits = x[i] ? 64 - __builtin_clzll(x[i]) : 0;
        x[i] = bits > least ? bits : least;
    }
    return x;
}

// V tanh(W x + b) + c, of N elements.
Long neural(const Way& w, const int32_t* const* x, int64_t b) {
    const int32_t* taps = w.taps + b;
    const int64_t inputs = w.words + 1;
    Long total = load(taps + w.hidden * inputs * w.stride) << all(w.rate_bits);
    for (int64_t h = 0; h < w.hidden; h++) {
        const int32_t* row = taps + h * inputs * w.stride;
        Long z = load(row) << all(w.frac);
        for (int64_t j = 0; j < w.words; j++) z += times(load(row + (j + 1) * w.stride), load(x[j] + b));
        Long rate = evaluate(w.tanh, saturate(round_shift(z, w.hidden_shift), w.hidden_out));
        total += times(load(taps + (w.hidden * inputs + 1 + h) * w.stride), rate);
    }
    return round_shift(total, w.shift);
}

// Taps of the next tick, of N elements; x: what they saw when they predicted what is newest now.
void nlms(const Way& w, const Network& net, const int32_t* const* x, Long newest, Long lost, int64_t b) {
    Long sum = {}, power = {};
    for (int64_t j = 0; j < w.words; j++) {
        Long word = load(x[j] + b);
        sum += times(load(w.taps + j * w.stride + b), word);
        power += times(word, word);
    }
    Long e = newest - saturate(round_right(sum, w.shift), w.out), right = bit_length(power, w.quiet) - w.quiet;
    const int64_t first = w.noise + net.ticks % net.period * (w.size * w.words) + b * w.words;
    for (int64_t j = 0; j < w.words; j++) {
        Long noise = {}, product = times(e, load(x[j] + b));
        for (int i = 0; i < N; i++) noise[i] = net.noise[(first + i * w.words + j) % net.period];
        Long scaled = w.up < 0 ? product >> all(-w.up) : product << all(w.up);
        int32_t* tap = w.taps + j * w.stride + b;
        Long now = saturate(load(tap) + (((scaled >> right) + noise) >> NOISE_BITS), w.gain);
        store(tap, lost ? (j ? Long{} : existing(b, w.size) & w.one) : now);
    }
}

// Send what the newest message will be when it arrives; taps learn.
void predict(const Way& w, const Network& net, int32_t* stream, bool learn) {
    const int32_t *x[16], *then[16];
    for (int64_t j = 0; j < w.words; j++) {
        x[j] = at(w, w.history, stream, w.delay ? j * w.spacing : 0) + 1;
        then[j] = at(w, w.history, stream, w.learns && w.delay ? w.delay + j * w.spacing : 0) + 1;
    }
    int32_t* out = push(w, w.ring, stream);
    Long flags = get<Long>(w.lost);
    for (int64_t b = 0; b < w.size; b += N) {
        Long newest = load(x[0] + b), y = newest, wrong = {}, lost = {};
        if (w.delay) {
            if (w.is_neural) y += neural(w, x, b);
            else {
                Long sum = {};
                for (int64_t j = 0; j < w.words; j++) {
                    Long tap = load(w.taps + j * w.stride + b);
                    sum += times(tap, load(x[j] + b));
                    if (w.has_taps) lost |= (tap == all(w.gain.min)) | (tap == all(w.gain.max));
                }
                y = round_right(sum, w.shift);
            }
            wrong = (lost | (y < all(w.out.min)) | (y > all(w.out.max))) & existing(b, w.size);
            flags |= wrong;
            y = (wrong ? newest : y) & existing(b, w.size);
            if (w.learns && learn) nlms(w, net, then, newest, lost, b);
        }
        store(out + b, y);
    }
    put(w.lost, flags);
}

void predict_all(const Network& net, int32_t* stream, bool errors, bool learn) {
    for (int64_t n = 0; n < net.count; n++) {
        const Layer& l = net.layers[n];
        if (l.way.predicts) predict(l.way, net, stream, learn);
        if (errors && l.error_way.predicts) predict(l.error_way, net, stream, learn);
    }
}

// ---- errors and neurons

// eps, and the filter's next state.
void error_step(const Layer& l, int32_t* stream, const int32_t* above) {
    Long saturated = {}, low = all(l.error.min), high = all(l.error.max);
    for (int64_t b = 0; b < l.outputs; b += N) {
        Long error = load(above + b);
        Long eps = round_right(times(error, load(stream + l.slope + b)), l.slope_shift);
        if (l.is_filtered) {
            Long lag = load(l.error_lag + b);
            Long lead = l.learns_tau ? make_lead(l.filter, l.tau + b, l.error_lag + b) : load(l.error_lead + b);
            LeadLag unit = leadlag(l.filter, load(stream + l.v + b), eps, lead, lag);
            store(stream + l.v + b, unit.x);
            eps = unit.y;
        }
        saturated |= (error == low) | (error == high) | (eps == low) | (eps == high);
        store(l.eps + b, eps);
    }
    put(l.overflow, get<Long>(l.overflow) | saturated);
}

// The words W^T eps, in place of those of the tick before.
void send_errors(const Layer& l, int32_t* to) {
    for (int64_t b = 0; b < l.inputs; b += N) {
        Long sum = __builtin_convertvector(get<Double>(l.back + 1 + b), Long);
        store(to + b, saturate(round_right(sum, l.back_shift), l.error_below));
    }
}

// tau_m and dt / tau_m of the next tick.
void tau_step(const Layer& l, int64_t b, Long eps, Long increment, Long noise) {
    Long lag = load(l.lag + b), product = times(-eps, saturate(increment, l.increment));
    Long tau = moved(load(l.tau + b), product, noise, l.tau_step);
    tau = tau < all(l.tau_min) ? all(l.tau_min) : tau;
    Long rest = saturate(l.lag_one - round_right(times(tau, lag), l.tau_lag_shift), l.lag_out);
    store(l.tau + b, tau);
    store(l.lag + b, saturate(lag + round_right(times(lag, rest), l.lag_shift), l.lag_out));
}

// Membranes, rates (to `out`) and slopes.
template <bool LEARN> void work_neurons(const Layer& l, const Network& net, int32_t* stream, int32_t* out, bool learn) {
    int64_t noise = 0;
    if (LEARN && l.learns_tau) noise = (l.tau_noise + net.ticks % net.period * l.outputs) % net.period;
    for (int64_t b = 0; b < l.outputs; b += N) {
        Long s = saturate(round_right(get<Long>(l.sums + b), l.sum_shift), l.membrane.y), eps = {};
        if (LEARN && l.is_plastic) eps = load(l.eps + b);
        if (LEARN && l.is_pulled) s = saturate(s + round_right(eps, l.pull_shift), l.membrane.y);
        Long lead = l.learns_tau ? make_lead(l.membrane, l.tau_r + b, l.lag + b) : load(l.lead + b);
        LeadLag unit = leadlag(l.membrane, load(stream + l.u + b), s, lead, load(l.lag + b));
        Long exists = existing(b, l.outputs);
        store(stream + l.u + b, unit.x);
        store(out + b, evaluate(l.rate, unit.y) & exists);
        if (LEARN && l.is_plastic) store(stream + l.slope + b, evaluate(l.derivative, unit.y) & exists);
        if (LEARN && l.learns_tau && learn) tau_step(l, b, eps, unit.move, load(net.noise + noise + b));
    }
}

// target - output, or onehot - softmax, of the outputs of the last tick.
void teach(const Network& net, const int32_t* rate, const int32_t* target) {
    const Layer& l = net.layers[net.count - 1];
    int32_t* error = net.output_error;
    if (!net.is_cross_entropy) {
        memcpy(net.target, target, net.targets * sizeof *target);
        for (int64_t b = 0; b < l.outputs; b += N) {
            Long missing = load(net.target + b) - load(rate + b);
            store(error + b, saturate(round_shift(missing, net.loss_shift), l.error));
        }
        return;
    }
    const Long least = all(l.rate.out.min);
    Long most = least, sum = {};
    for (int64_t b = 0; b < l.outputs; b += N) {
        Long r = existing(b, l.outputs) ? load(rate + b) : least;
        most = r > most ? r : most;
    }
    most = all(largest(most));
    for (int64_t b = 0; b < l.outputs; b += N) {
        Long e = evaluate(net.exponential, load(rate + b) - most) & existing(b, l.outputs);
        sum += e;
        store(error + b, e);
    }
    const Long reciprocal = all((int64_t(1) << RECIPROCAL_BITS) / total(sum));
    constexpr int right = RECIPROCAL_BITS - EXP_BITS;
    constexpr Shift to_p = {0, 1 << (right - 1), right};
    for (int64_t b = 0; b < l.outputs; b += N) {
        Long p = round_right(times(load(error + b), reciprocal), to_p);
        Long onehot = (numbers(b) == all(*target)) & (int64_t(1) << EXP_BITS);
        store(error + b, saturate(round_shift(onehot - p, net.loss_shift), l.error) & existing(b, l.outputs));
    }
}

// Layers from the top down: each reads its line before the layer below writes into it.
template <bool LEARN> void tick(const Network& net, int32_t* stream, const int32_t* x, bool learn) {
    memcpy(push(net.layers[0].way, stream), x, net.layers[0].inputs * sizeof *x);
    for (int64_t n = net.count - 1; n >= 0; n--) {
        const Layer& l = net.layers[n];
        const int32_t* message = read(l.way, stream);
        if (LEARN && l.sends_errors) {
            sum_rows<true>(l, message);
            send_errors(l, push(l.error_way, stream));
        } else sum_rows<false>(l, message);
        if (LEARN && learn && l.learns_weight) move_rows(l, net, message);
        int32_t* out = n + 1 < net.count ? push(net.layers[n + 1].way, stream) : stream + net.rate;
        work_neurons<LEARN>(l, net, stream, out, learn);
    }
}

void write_down(Record& r, const int32_t* stream) {
    const int32_t* from = (r.source ? r.source : stream) + r.offset;
    if (r.position >= 0) from += stream[r.position] * r.message;
    for (int64_t row = 0; row < r.rows; row++, from += r.distance, r.out += r.length)
        memcpy(r.out, from, r.length * sizeof *from);
}

}  // namespace

#pragma GCC visibility push(default)

// Ticks of all streams in turn; x, target, rates: words (ticks, streams, ..); learn, is_taught: flags (ticks, streams).
extern "C" void learner_run(Network* net, int64_t ticks, int64_t first, const int32_t* x, const int32_t* target,
                            const uint8_t* learn, const uint8_t* is_taught, int32_t* rates, Record* records,
                            int64_t count) {
    const Layer &bottom = net->layers[0], &top = net->layers[net->count - 1];
    for (int64_t t = 0; t < ticks; t++)
        for (int64_t s = 0; s < net->streams; s++) {
            int32_t* stream = net->activity + s * net->block;
            const bool starts = first && t == 0;
            if (starts) memcpy(stream, net->rest, net->block * sizeof *stream);
            if (*is_taught++ && !starts) teach(*net, stream + net->rate, target);
            else memset(net->output_error, 0, top.outputs * sizeof *net->output_error);
            predict_all(*net, stream, true, *learn);
            // all layers take the errors of the tick before: none may be replaced yet
            for (int64_t n = net->first_plastic; n < net->count; n++) {
                const Layer& l = net->layers[n];
                error_step(l, stream, n + 1 < net->count ? read(net->layers[n + 1].error_way, stream) + 1
                                                         : net->output_error);
            }
            tick<true>(*net, stream, x, *learn++);
            net->ticks++;
            memcpy(rates, stream + net->rate, top.outputs * sizeof *rates);
            for (int64_t r = 0; r < count; r++) write_down(records[r], stream);
            x += bottom.inputs, target += net->targets, rates += top.outputs;
        }
}

// Ticks of golden.rate.engine: sequences (ticks, sequences, ..) from rest, or from what the streams hold, which stays.
extern "C" void learner_infer(Network* net, int64_t ticks, int64_t sequences, int64_t first, const int32_t* x,
                              int32_t* rates) {
    const Layer &bottom = net->layers[0], &top = net->layers[net->count - 1];
    for (int64_t s = 0; s < sequences; s++) {
        memcpy(net->spare, first ? net->rest : net->activity + s * net->block, net->block * sizeof *net->spare);
        for (int64_t t = 0; t < ticks; t++) {
            predict_all(*net, net->spare, false, false);
            tick<false>(*net, net->spare, x + (t * sequences + s) * bottom.inputs, false);
            memcpy(rates + (t * sequences + s) * top.outputs, net->spare + net->rate, top.outputs * sizeof *rates);
        }
    }
}
