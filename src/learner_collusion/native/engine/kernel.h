// Training of one ensemble of MLPs, compiled once per instruction set (SET, WIDTH, TILE_ROWS).
//
// The learners are the lanes of the vectors: element [i][k] of an array holds that number for WIDTH learners side by
// side. So one loop nest serves any number of inputs, hidden units and layers without padding. Learners that do not fill
// a vector take a power of two of its lanes, and the rest of the vector works on further rows of the batch: with WIDTH 8,
// four learners take two rows at a time, one learner takes eight. Their parameters are stored once and repeated when they
// are loaded. Lanes without a learner stay zero.
//
// No standard containers here: their inline functions, compiled for one instruction set, could be linked into another.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include <utility>

#include "engine.h"

namespace SET {
namespace {

#include "../allocate.h"
#include "product.h"
#include "block.h"
#include "layers.h"

// Adam (Kingma & Ba 2015) as PyTorch computes it, weight decay as L2 in the gradient. The division is the slowest part, so
// two vectors share one: a / s and b / t from 1 / (s t).
template <class T>
void adam(Block<T>& block, T rate, T decay, long step) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * WIDTH)));
  const double correction1 = 1 - pow(0.9, (double)step), correction2 = 1 - pow(0.999, (double)step);
  const T size = (T)(rate / correction1), root = (T)(1 / sqrt(correction2));
  Lanes* weights = (Lanes*)block.parameters;
  Lanes* mean = (Lanes*)block.mean;
  Lanes* square = (Lanes*)block.square;
  const Lanes* gradient = (const Lanes*)block.gradient;
  for (long p = 0; p < block.count / WIDTH; p += 2) {
    Lanes spread[2];
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
      const Lanes g = gradient[p + i] + decay * weights[p + i];
      mean[p + i] += (T)0.1 * (g - mean[p + i]);
      const Lanes v = square[p + i] = (T)0.999 * square[p + i] + (T)0.001 * (g * g);
#pragma GCC unroll 16
      for (int lane = 0; lane < WIDTH; lane++)
        spread[i][lane] = sizeof(T) == 4 ? (T)__builtin_sqrtf((float)v[lane]) : (T)__builtin_sqrt((double)v[lane]);
      spread[i] = spread[i] * root + (T)1e-8;
    }
    const Lanes both = size / (spread[0] * spread[1]);
    weights[p] -= mean[p] * (spread[1] * both);
    weights[p + 1] -= mean[p + 1] * (spread[0] * both);
  }
}

// The sum of the lanes, halves first.
template <class T, int LANES>
struct Total {
  static T of(const T* lanes) {
    T half[LANES / 2];
    for (int lane = 0; lane < LANES / 2; lane++) half[lane] = lanes[lane] + lanes[lane + LANES / 2];
    return Total<T, LANES / 2>::of(half);
  }
};
template <class T>
struct Total<T, 1> {
  static T of(const T* lanes) { return lanes[0]; }
};

// Adds this block's share of the ensemble's mean to mean[row].
template <class T, int LANES>
void add_to_mean(const Block<T>& block, const T* outputs, long rows, T* mean) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * LANES)));
  const Lanes weights = *(const Lanes*)block.weights;
  for (long i = 0; i < rows; i++) {
    const Lanes share = weights * *(const Lanes*)(outputs + i * LANES);
    mean[i] += Total<T, LANES>::of((const T*)&share);
  }
}

// This block's share of the sum over the rows of the learners' squared distances from `target`: ERR-bar where that is y,
// DIV where it is the ensemble's mean (Def. 4.1, Eq. 1).
template <class T, int LANES>
void add_to_sum(const Block<T>& block, const T* outputs, const T* target, long rows, double* sum) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * LANES)));
  const Lanes weights = *(const Lanes*)block.weights;
  Lanes total = Lanes{};
  for (long i = 0; i < rows; i++) {
    const Lanes distance = *(const Lanes*)(outputs + i * LANES) - target[i];
    total += weights * (distance * distance);
  }
  *sum += Total<T, LANES>::of((const T*)&total);
}

// The derivative of the objective by each learner's output, into block.deltas.
template <class T, int LANES>
void start_backward(Block<T>& block, const T* outputs, const T* y, const T* mean, long rows, T beta) {
  typedef T Lanes __attribute__((vector_size(sizeof(T) * LANES)));
  const Lanes weights = *(const Lanes*)block.weights * ((T)2 / (T)rows);
  const T alone = (T)1 - beta;
  for (long i = 0; i < rows; i++) {
    const Lanes f = *(const Lanes*)(outputs + i * LANES);
    *(Lanes*)(block.deltas + i * LANES) = weights * (alone * (f - y[i]) + beta * (mean[i] - y[i]));
  }
  for (long i = rows; i < block.groups(rows) * block.group; i++) *(Lanes*)(block.deltas + i * LANES) = Lanes{};
}

template <class T>
struct Ensemble {
  Shape shape;
  const Network<T>* network;
  int blocks;
  Block<T>* block;
  long capacity;  // rows of a batch that there is room for, in whole vectors
  T *x, *mean;    // [capacity][features]; the ensemble's prediction of each row

  Ensemble(const Network<T>& net, long rows) : network(&net), capacity((rows + WIDTH - 1) / WIDTH * WIDTH) {
    shape = Shape{net.features, net.hidden_units, net.layers};
    block = (Block<T>*)calloc(net.learners, sizeof(Block<T>));
    if (!block) abort();
    blocks = 0;
    x = allocate<T>(capacity * net.features);
    mean = allocate<T>(capacity);
    for (int first = 0; first < net.learners;) {
      const int left = net.learners - first;
      Block<T>& b = block[blocks++];
      // a quarter of the lanes may stay empty; where it would be more, the rest goes to a block of its own (5 = 4 + 1)
      for (b.lanes = 1; b.lanes < WIDTH && 2 * b.lanes - b.lanes / 2 <= left;) b.lanes *= 2;
      b.group = WIDTH / b.lanes;
      b.first = first;
      b.used = left < b.lanes ? left : b.lanes;
      const long layer = capacity * shape.hidden_units * WIDTH;
      b.count = (shape.parameters() * b.lanes + 2 * WIDTH - 1) / (2 * WIDTH) * (2 * WIDTH);
      b.parameters = allocate<T>(b.count);
      b.gradient = allocate<T>((shape.parameters() + 2 * b.group) * WIDTH);
      b.mean = allocate<T>(b.count);
      b.square = allocate<T>(b.count);
      b.activations = allocate<T>(shape.layers * layer + capacity * WIDTH);
      b.deltas = allocate<T>(2 * layer);
      b.weights = allocate<T>(b.lanes);
      b.input = b.group > 1 ? allocate<T>(capacity * shape.features * WIDTH) : nullptr;
      for (int lane = 0; lane < b.used; lane++) b.weights[lane] = net.weights[first + lane];
      first += b.used;
    }
  }
  ~Ensemble() {
    for (int i = 0; i < blocks; i++) {
      T* arrays[] = {block[i].parameters,  block[i].gradient, block[i].mean,   block[i].square,
                     block[i].activations, block[i].deltas,   block[i].weights, block[i].input};
      for (T* array : arrays) free(array);
    }
    free(x);
    free(mean);
    free(block);
  }
  Ensemble(const Ensemble&) = delete;
  Ensemble& operator=(const Ensemble&) = delete;

  void load(const T* parameters) {
    const long count = shape.parameters();
    for (int i = 0; i < blocks; i++)
      for (int lane = 0; lane < block[i].used; lane++)
        for (long p = 0; p < count; p++)
          block[i].parameters[p * block[i].lanes + lane] = parameters[(block[i].first + lane) * count + p];
  }
  void store(T* parameters, bool gradients = false) const {
    const long count = shape.parameters();
    for (int i = 0; i < blocks; i++) {
      const T* source = gradients ? block[i].gradient : block[i].parameters;
      for (int lane = 0; lane < block[i].used; lane++)
        for (long p = 0; p < count; p++)
          parameters[(block[i].first + lane) * count + p] = source[p * block[i].lanes + lane];
    }
  }

  T* outputs(const Block<T>& b) const { return b.activations + shape.layers * capacity * shape.hidden_units * WIDTH; }

  // Predicts the first rows of x, which its owner has filled in.
  void predict(long rows) {
    memset(mean, 0, sizeof(T) * rows);
    for (int j = 0; j < blocks; j++) {
      BY_LANES(block[j], forward, shape, block[j], x, rows, capacity);
      BY_LANES(block[j], add_to_mean, block[j], outputs(block[j]), rows, mean);
    }
  }

  void predict(const T* from, long rows) {
    memcpy(x, from, sizeof(T) * rows * shape.features);
    predict(rows);
  }

  // Derivatives of (1 - beta) ERR-bar + beta ERR (Eq. 2) by all parameters, after predict(rows).
  void differentiate(const T* y, long rows, T beta) {
    for (int j = 0; j < blocks; j++) {
      BY_LANES(block[j], start_backward, block[j], outputs(block[j]), y, mean, rows, beta);
      BY_LANES(block[j], backward, shape, block[j], x, rows, capacity);
    }
  }

  // Adds the ERR, ERR-bar and, where it is asked for, DIV of rows that were just predicted, each from its own formula.
  void measure(const T* y, long rows, double* err, double* err_bar, double* div = nullptr) const {
    for (long i = 0; i < rows; i++) *err += (double)(mean[i] - y[i]) * (mean[i] - y[i]);
    for (int j = 0; j < blocks; j++) {
      BY_LANES(block[j], add_to_sum, block[j], outputs(block[j]), y, rows, err_bar);
      if (div) BY_LANES(block[j], add_to_sum, block[j], outputs(block[j]), mean, rows, div);
    }
  }
};

template <class T>
void train_(const Training<T>& task) {
  const Network<T>& net = task.network;
  const long features = net.features;
  Ensemble<T> ensemble(net, task.batch_size);
  ensemble.load(task.initial);
  ensemble.store(task.best);
  T* y = allocate<T>(task.batch_size);
  double best = INFINITY;
  long step = 0;
  int waited = 0, epoch = 0;
  task.outcome[0] = task.outcome[1] = task.outcome[2] = 0;
  while (epoch < task.max_epochs && waited < task.patience && !task.outcome[2]) {
    const int32_t* order = task.permutations + (long)epoch * task.rows;
    double* record = task.history + (long)epoch * HISTORY_WIDTH;
    for (int c = 0; c < HISTORY_WIDTH; c++) record[c] = 0;
    for (long start = 0; start < task.rows; start += task.batch_size) {
      const long rows = task.rows - start < task.batch_size ? task.rows - start : task.batch_size;
      for (long i = 0; i < rows; i++) {
        memcpy(ensemble.x + i * features, task.x + order[start + i] * features, sizeof(T) * features);
        y[i] = task.y[order[start + i]];
      }
      ensemble.predict(rows);
      ensemble.measure(y, rows, &record[0], &record[1]);
      ensemble.differentiate(y, rows, task.beta);
      step++;
      for (int j = 0; j < ensemble.blocks; j++)
        adam<T>(ensemble.block[j], (T)task.learning_rate, (T)task.weight_decay, step);
    }
    for (long start = 0; start < task.validation_rows; start += task.batch_size) {
      const long left = task.validation_rows - start, rows = left < task.batch_size ? left : task.batch_size;
      ensemble.predict(task.validation_x + start * features, rows);
      ensemble.measure(task.validation_y + start, rows, &record[2], &record[3], &record[4]);
    }
    record[0] /= task.rows;
    record[1] /= task.rows;
    for (int c = 2; c < HISTORY_WIDTH; c++) record[c] /= task.validation_rows;
    epoch++;
    if (!isfinite(record[1]) || !isfinite(record[3])) {
      task.outcome[2] = epoch;
    } else if (record[2] < best) {
      best = record[2];
      waited = 0;
      task.outcome[1] = epoch;
      ensemble.store(task.best);
    } else {
      waited++;
    }
  }
  task.outcome[0] = epoch;
  ensemble.store(task.last);
  free(y);
}

template <class T>
void gradient_(const Network<T>& net, const T* parameters, const T* x, const T* y, long rows, T beta, T* gradient) {
  Ensemble<T> ensemble(net, rows);
  ensemble.load(parameters);
  ensemble.predict(x, rows);
  ensemble.differentiate(y, rows, beta);
  ensemble.store(gradient, true);
}

}  // namespace

void train(const Training<float>& task) { train_<float>(task); }

void predict(const Network<float>& net, const float* parameters, const float* x, long rows, float* f) {
  const long batch = 64;
  Ensemble<float> ensemble(net, batch);
  ensemble.load(parameters);
  for (long start = 0; start < rows; start += batch) {
    const long count = rows - start < batch ? rows - start : batch;
    ensemble.predict(x + start * net.features, count);
    for (int j = 0; j < ensemble.blocks; j++) {
      const Block<float>& b = ensemble.block[j];
      for (long i = 0; i < count; i++)
        for (int lane = 0; lane < b.used; lane++)
          f[(start + i) * net.learners + b.first + lane] = ensemble.outputs(b)[i * b.lanes + lane];
    }
  }
}

void gradient(const Network<float>& net, const float* parameters, const float* x, const float* y, long rows,
              float beta, float* gradient) {
  gradient_<float>(net, parameters, x, y, rows, beta, gradient);
}
void gradient(const Network<double>& net, const double* parameters, const double* x, const double* y, long rows,
              double beta, double* gradient) {
  gradient_<double>(net, parameters, x, y, rows, beta, gradient);
}

}  // namespace SET
