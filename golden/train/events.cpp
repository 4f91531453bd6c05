// Synapses with delays, and neurons that spike once an image, for events.py, which has the same in torch.
//
// Delays and weights are (line, neuron) here. A spike of line i at tick t arrives at neuron j at tick t + delay[i][j].
// What arrives in the ticks 0 .. 2 T - 1 of an image lies in one block, neuron by neuron, tick after tick, so that the
// place of a synapse is one number, and no arrival behind the last tick needs a comparison.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

struct Event {
    int64_t tick, line;
    float value;
};

// The spikes of image b: `when`, a tick a line and -1 for none, or `spikes`, a value for each tick and line.
void collect(const float *spikes, const int32_t *when, int64_t b, int64_t ticks, int64_t inputs,
             std::vector<Event> &events) {
    events.clear();
    if (when) {
        when += b * inputs;
        for (int64_t i = 0; i < inputs; i++)
            if (when[i] >= 0 && when[i] < ticks)
                events.push_back({when[i], i, 1.0f});
        return;
    }
    spikes += b * ticks * inputs;
    for (int64_t t = 0; t < ticks; t++)
        for (int64_t i = 0; i < inputs; i++)
            if (spikes[t * inputs + i] != 0.0f)
                events.push_back({t, i, spikes[t * inputs + i]});
}

// The synapses of every line, but for those that nothing comes through: weight 0, or a delay of more than the ticks.
template <class Place> struct Synapses {
    std::vector<int64_t> first, negative;           // of a line; where its negative weights begin
    std::vector<int32_t> index;                     // in delay and weight
    std::vector<Place> place;                       // delay * outputs + neuron
    std::vector<float> weight;
    float unit = 0.0f;                              // the magnitude of all weights, or 0

    void set(const int32_t *delay, const float *weights, int64_t ticks, int64_t inputs, int64_t outputs, bool zeros) {
        const int64_t size = inputs * outputs;
        float largest = 0.0f;
        for (int64_t n = 0; n < size; n++)
            largest = std::max(largest, std::fabs(weights[n]));
        int64_t others = zeros;
        for (int64_t n = 0; n < size; n++)
            others += (weights[n] != 0.0f) & (std::fabs(weights[n]) != largest);
        const bool same = others == 0;
        unit = same ? largest : 0.0f;
        first.clear(), negative.clear();
        // each is written, and the next one over it where it does not belong: signs are random, branches would be too
        index.resize(size + 1), place.resize(size + 1), weight.resize(size + 1);
        int64_t s = 0;
        for (int64_t i = 0; i < inputs; i++) {
            first.push_back(s);
            for (int sign = 1; sign >= -1; sign -= 2) {     // one pass is enough where magnitudes differ
                if (sign < 0)
                    negative.push_back(s);
                if (sign < 0 && !same)
                    break;
                for (int64_t j = 0, n = i * outputs; j < outputs; j++, n++) {
                    index[s] = n;
                    place[s] = static_cast<Place>(delay[n] * outputs + j);
                    weight[s] = weights[n];
                    s += (delay[n] <= ticks) & (same ? weights[n] * sign > 0.0f : zeros | (weights[n] != 0.0f));
                }
            }
        }
        first.push_back(s);
    }
};

template <class Place>
void forward(const float *spikes, const int32_t *when, const int32_t *delay, const float *weight, int64_t batch,
             int64_t ticks, int64_t inputs, int64_t outputs, float *out) {
    static thread_local Synapses<Place> all;        // keeps its memory
    all.set(delay, weight, ticks, inputs, outputs, false);
    const int64_t size = ticks * outputs;
    std::vector<float> arrived(2 * size + outputs);
    std::vector<Event> events;
    for (int64_t b = 0; b < batch; b++) {
        collect(spikes, when, b, ticks, inputs, events);
        std::fill(arrived.begin(), arrived.end(), 0.0f);
        for (const Event &event : events) {
            float *__restrict at = arrived.data() + event.tick * outputs;
            const Place *__restrict place = all.place.data();
            const float *__restrict w = all.weight.data();
            int64_t s = all.first[event.line];
            const int64_t middle = all.negative[event.line], end = all.first[event.line + 1];
            if (all.unit != 0.0f) {
                const float value = event.value * all.unit;
                for (; s < middle; s++)
                    at[place[s]] += value;
                for (; s < end; s++)
                    at[place[s]] -= value;
            } else {
                for (; s < end; s++)
                    at[place[s]] += event.value * w[s];
            }
        }
        std::memcpy(out + b * size, arrived.data(), size * sizeof(float));
    }
}

template <class Place>
void backward(const float *spikes, const int32_t *when, const int32_t *delay, const float *weight,
              const float *gradient, int64_t batch, int64_t ticks, int64_t inputs, int64_t outputs, float *to_delay,
              float *to_weight, float *to_spikes) {
    static thread_local Synapses<Place> all;
    all.set(delay, weight, ticks, inputs, outputs, to_weight != nullptr);
    const int64_t size = ticks * outputs, count = all.first.back(), row = 2 * ticks + 1;
    // gradients of what arrives, 0 behind the last tick, and their central difference over ticks
    std::vector<float> grad(2 * size + outputs), slope(2 * size + outputs), by_neuron(outputs * row), by_line(inputs * ticks);
    std::vector<float> of_delay(to_delay ? count : 0), of_weight(to_weight ? count : 0);
    std::vector<Event> events;
    std::vector<int64_t> start(to_spikes ? count : 0);
    for (int64_t s = 0; to_spikes && s < count; s++)
        start[s] = all.place[s] % outputs * row + all.place[s] / outputs;
    for (int64_t b = 0; b < batch; b++) {
        std::memcpy(grad.data(), gradient + b * size, size * sizeof(float));
        if (to_delay || to_weight)
            collect(spikes, when, b, ticks, inputs, events);
        const auto gather = [&](const std::vector<float> &table, std::vector<float> &sums) {
            for (const Event &event : events) {
                const float *__restrict at = table.data() + event.tick * outputs;
                const Place *__restrict place = all.place.data();
                float *__restrict sum = sums.data();
                const float value = event.value;
                const int64_t end = all.first[event.line + 1];
                for (int64_t s = all.first[event.line]; s < end; s++)
                    sum[s] += value * at[place[s]];
            }
        };
        if (to_delay) {
            for (int64_t n = 0; n < size + outputs; n++) {
                const float next = n + outputs < size ? grad[n + outputs] : 0.0f;
                slope[n] = 0.5f * (next - (n >= outputs ? grad[n - outputs] : 0.0f));
            }
            gather(slope, of_delay);
        }
        if (to_weight)
            gather(grad, of_weight);
        if (to_spikes) {
            for (int64_t t = 0; t < ticks; t++)
                for (int64_t j = 0; j < outputs; j++)
                    by_neuron[j * row + t] = grad[t * outputs + j];
            std::fill(by_line.begin(), by_line.end(), 0.0f);
            for (int64_t i = 0; i < inputs; i++) {
                float *__restrict sum = by_line.data() + i * ticks;
                for (int64_t s = all.first[i]; s < all.first[i + 1]; s++) {
                    const float *__restrict at = by_neuron.data() + start[s], w = all.weight[s];
                    for (int64_t t = 0; t < ticks; t++)
                        sum[t] += w * at[t];
                }
            }
            for (int64_t t = 0; t < ticks; t++)
                for (int64_t i = 0; i < inputs; i++)
                    to_spikes[(b * ticks + t) * inputs + i] = by_line[i * ticks + t];
        }
    }
    for (int64_t s = 0; s < count; s++) {
        if (to_delay)
            to_delay[all.index[s]] = all.weight[s] * of_delay[s];
        if (to_weight)
            to_weight[all.index[s]] = of_weight[s];
    }
}

}  // namespace

#define API extern "C" __attribute__((visibility("default")))

// spikes (batch, ticks, inputs) or when (batch, inputs) -> out (batch, ticks, outputs)
API void arrive_forward(const float *spikes, const int32_t *when, const int32_t *delay, const float *weight,
                        int64_t batch, int64_t ticks, int64_t inputs, int64_t outputs, float *out) {
    if ((ticks + 1) * outputs <= 65536)
        forward<uint16_t>(spikes, when, delay, weight, batch, ticks, inputs, outputs, out);
    else
        forward<uint32_t>(spikes, when, delay, weight, batch, ticks, inputs, outputs, out);
}

// gradient of out -> those of delay, weight and spikes; nullptr: not wanted
API void arrive_backward(const float *spikes, const int32_t *when, const int32_t *delay, const float *weight,
                         const float *gradient, int64_t batch, int64_t ticks, int64_t inputs, int64_t outputs,
                         float *to_delay, float *to_weight, float *to_spikes) {
    if ((ticks + 1) * outputs <= 65536)
        backward<uint16_t>(spikes, when, delay, weight, gradient, batch, ticks, inputs, outputs, to_delay, to_weight,
                           to_spikes);
    else
        backward<uint32_t>(spikes, when, delay, weight, gradient, batch, ticks, inputs, outputs, to_delay, to_weight,
                           to_spikes);
}

// arrived (batch, ticks, neurons) -> membranes x, as if nothing spiked, and spikes: the first tick at the threshold
API void once_forward(const float *arrived, int64_t batch, int64_t ticks, int64_t neurons, int64_t order, float keep,
                      float threshold, float *x, float *spikes) {
    std::vector<float> q_(neurons), p_(neurons), quiet_(neurons);
    for (int64_t b = 0; b < batch; b++) {
        float *__restrict q = q_.data(), *__restrict p = p_.data(), *__restrict quiet = quiet_.data();
        std::fill(q_.begin(), q_.end(), 0.0f);
        std::fill(p_.begin(), p_.end(), 0.0f);
        std::fill(quiet_.begin(), quiet_.end(), 1.0f);
        for (int64_t t = 0; t < ticks; t++) {
            const float *__restrict a = arrived + (b * ticks + t) * neurons;
            float *__restrict to = x + (b * ticks + t) * neurons, *__restrict s = spikes + (b * ticks + t) * neurons;
            if (order == 1)
                for (int64_t j = 0; j < neurons; j++)
                    q[j] = keep * q[j] + a[j];
            else
                for (int64_t j = 0; j < neurons; j++) {
                    q[j] = keep * (q[j] + p[j]);
                    p[j] = keep * p[j] + a[j];
                }
            for (int64_t j = 0; j < neurons; j++) {
                to[j] = q[j];
                s[j] = q[j] >= threshold ? quiet[j] : 0.0f;
                quiet[j] -= s[j];
            }
        }
    }
}

// gradient of the spikes -> that of what arrived; see Once in events.py
API void once_backward(const float *x, const float *spikes, const float *gradient, int64_t batch, int64_t ticks,
                       int64_t neurons, int64_t order, float keep, float threshold, float slope, float *to_arrived) {
    std::vector<float> live_(ticks * neurons), later_(neurons), q_(neurons), p_(neurons);
    const float steep = slope / threshold;
    for (int64_t b = 0; b < batch; b++) {
        float *__restrict later = later_.data(), *__restrict q = q_.data(), *__restrict p = p_.data();
        std::fill(later_.begin(), later_.end(), 1.0f);
        for (int64_t t = 0; t < ticks; t++) {       // live: it has not spiked before this tick
            float *__restrict live = live_.data() + t * neurons;
            const float *__restrict s = spikes + (b * ticks + t) * neurons;
            for (int64_t j = 0; j < neurons; j++) {
                live[j] = later[j];
                later[j] -= s[j];
            }
        }
        std::fill(later_.begin(), later_.end(), 0.0f);
        std::fill(q_.begin(), q_.end(), 0.0f);
        std::fill(p_.begin(), p_.end(), 0.0f);
        for (int64_t t = ticks - 1; t >= 0; t--) {
            const int64_t now = (b * ticks + t) * neurons;
            const float *__restrict u = x + now, *__restrict g = gradient + now;
            const float *__restrict live = live_.data() + t * neurons;
            float *__restrict to = to_arrived + now;
            for (int64_t j = 0; j < neurons; j++) {
                const float far = std::fabs(u[j] - threshold) * steep + 1.0f;
                const float own = live[j] * (g[j] - later[j]) * steep / (far * far);
                later[j] = u[j] >= threshold ? g[j] : later[j];
                if (order == 1) {
                    q[j] = own + keep * q[j];
                    to[j] = q[j];
                } else {
                    p[j] = keep * (q[j] + p[j]);
                    q[j] = own + keep * q[j];
                    to[j] = p[j];
                }
            }
        }
    }
}
