// Runs a fuzz target over the files of a corpus directory, and over each of them cut short, in a
// build without libFuzzer.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_input.h"

namespace {

constexpr std::size_t cut_bytes_max = 600;

void run(const std::string& input) {
  // A block of exactly this size, so that AddressSanitizer sees a read past its end.
  const std::vector<std::uint8_t> block(input.begin(), input.end());
  LLVMFuzzerTestOneInput(block.data(), block.size());
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) return 2;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(arguments[1])) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const auto& path : files) {
    std::printf("%s\n", path.filename().c_str());
    std::fflush(stdout);
    std::ifstream file(path, std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(file), {}};
    run(input);
    const std::size_t cuts = std::min(input.size(), cut_bytes_max);
    for (std::size_t size = 0; size < cuts; ++size)
      run(input.substr(0, size));
  }
  return files.empty() ? 1 : 0;
}
