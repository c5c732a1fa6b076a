// Runs one kernel of the native library on the tasks of a file, without Python: `driver TASKS RESULTS`. KERNEL says which.
//
// Both files are the bytes of the numbers, one after the other; test_reproducibility.py writes the one and reads the other.
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include "../../src/learner_collusion/native/convolution/convolution.h"
#include "../../src/learner_collusion/native/engine/engine.h"

namespace {

FILE *tasks, *results;

template <class T>
std::vector<T> read(long count) {
  std::vector<T> numbers(count);
  if ((long)fread(numbers.data(), sizeof(T), count, tasks) != count) exit(2);
  return numbers;
}

template <class T>
void write(const std::vector<T>& numbers) {
  if (fwrite(numbers.data(), sizeof(T), numbers.size(), results) != numbers.size()) exit(3);
}

std::vector<double> wide(const std::vector<float>& numbers) { return {numbers.begin(), numbers.end()}; }

// Training, predictions of the last weights at the validation part, and gradients there at the first ones.
void sweep() {
  const auto n = read<int64_t>(10);
  const auto rates = read<double>(3);
  const long features = n[0], learners = n[1], hidden = n[2], layers = n[3], parameters = n[4];
  const long rows = n[5], validation_rows = n[6], epochs = n[8];
  const auto x = read<float>(rows * features), y = read<float>(rows);
  const auto validation_x = read<float>(validation_rows * features), validation_y = read<float>(validation_rows);
  const auto permutations = read<int32_t>(epochs * rows);
  const auto initial = read<float>(learners * parameters), weights = read<float>(learners);
  std::vector<float> best(initial), last(initial), f(validation_rows * learners), gradient(initial);
  std::vector<double> history(epochs * HISTORY_WIDTH), wide_gradient(initial.size());
  std::vector<int64_t> outcome(3);
  const Network<float> network = {features, learners, hidden, layers, weights.data()};
  const int code = KERNEL::train({network, rows, validation_rows, n[7], epochs, n[9], (float)rates[0], rates[1], rates[2],
                                  x.data(), y.data(), validation_x.data(), validation_y.data(), permutations.data(),
                                  initial.data(), best.data(), last.data(), history.data(), outcome.data()});
  if (code != DONE) exit(4);
  KERNEL::predict(network, last.data(), validation_x.data(), validation_rows, f.data());
  KERNEL::gradient(network, initial.data(), validation_x.data(), validation_y.data(), validation_rows, (float)rates[0],
                   gradient.data());
  const auto dw = wide(weights), dp = wide(initial), dx = wide(validation_x), dy = wide(validation_y);
  KERNEL::gradient(Network<double>{features, learners, hidden, layers, dw.data()}, dp.data(), dx.data(), dy.data(),
                   validation_rows, rates[0], wide_gradient.data());
  write(outcome), write(history), write(best), write(last), write(f), write(gradient), write(wide_gradient);
}

template <class T>
void convolve() {
  const auto n = read<int64_t>(7);
  const long count = n[0], height = n[1], width = n[2], inputs = n[3], groups = n[4], outputs = n[5], kernel = n[6];
  const long pooled = count * ((height - kernel + 1) / 2) * ((width - kernel + 1) / 2) * groups * outputs;
  const auto x = read<T>(count * height * width * groups * inputs);
  const auto weight = read<T>(groups * outputs * kernel * kernel * inputs), bias = read<T>(groups * outputs);
  const auto y_gradient = read<T>(pooled);
  std::vector<T> y(pooled), x_gradient(x.size()), weight_gradient(weight.size()), bias_gradient(bias.size());
  std::vector<uint8_t> place(pooled);
  const Convolution<T> task = {count,    height,   width,        inputs,            groups,           outputs, kernel, x.data(),
                               weight.data(), bias.data(), y.data(), place.data(), y_gradient.data(), x_gradient.data()};
  KERNEL::convolution(task, 0, count);
  KERNEL::convolution_back(task, 0, count, weight_gradient.data(), bias_gradient.data());
  write(y), write(x_gradient), write(weight_gradient), write(bias_gradient);
}

}  // namespace

int main(int, char** arguments) {
  tasks = fopen(arguments[1], "rb");
  results = fopen(arguments[2], "wb");
  if (!tasks || !results) return 1;
  for (const int64_t kind : read<int64_t>(read<int64_t>(1)[0])) {
    if (kind == 0) sweep();
    if (kind == 1) convolve<float>();
    if (kind == 2) convolve<double>();
  }
  return fclose(results);
}
