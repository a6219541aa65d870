#include "recorder/record.h"

#include <algorithm>

namespace jackfield::recorder {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }

  template <class T>
  T get() {
    T value;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }
  std::string_view bytes(std::size_t count) {
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view name() { return bytes(get<std::uint8_t>()); }
  std::string_view value(std::size_t& length) {
    length = get<std::uint32_t>();
    return bytes(std::min(length, kLongestValue));
  }

 private:
  std::string_view rest_;
};

Step read_step(Reader& reader) {
  Step step{.kind = static_cast<Step::Kind>(reader.get<char>())};
  switch (step.kind) {
    case Step::Kind::asked: step.label = reader.get<const char*>(); break;
    case Step::Kind::waits:
    case Step::Kind::resumed: step.time = reader.get<std::int64_t>(); break;
    case Step::Kind::set:
      step.name = reader.name();
      step.value = reader.value(step.length);
      break;
    case Step::Kind::erased: step.name = reader.name(); break;
    case Step::Kind::note:
    case Step::Kind::renamed:
    case Step::Kind::returns: step.value = reader.value(step.length); break;
    case Step::Kind::answered: step.answer = reader.get<Answer>(); break;
    case Step::Kind::cut: break;
  }
  return step;
}

}  // namespace

std::string_view ReadDispatch::before(std::string_view parameter) const {
  const auto found = std::ranges::find(parameters, parameter, &ReadParameter::name);
  return found == parameters.end() ? std::string_view() : found->value;
}

Head read_head(std::string_view record) { return Reader(record).get<Head>(); }

ReadDispatch read_dispatch(std::string_view record) {
  Reader reader(record);
  ReadDispatch read{.head = reader.get<Head>(), .ended = {}, .name = {}, .parameters = {}, .steps = {}};
  if (const auto ended = reader.get<std::int64_t>(); ended != kGoesOn) read.ended = ended;
  read.name = reader.name();
  read.parameters.resize(reader.get<std::uint16_t>());
  for (auto& parameter : read.parameters) {
    parameter.name = reader.name();
    parameter.value = reader.value(parameter.length);
  }
  while (!reader.empty()) read.steps.push_back(read_step(reader));
  return read;
}

ReadWire read_wire(std::string_view record) {
  Reader reader(record);
  ReadWire read{.head = reader.get<Head>()};
  read.sent = reader.get<bool>();
  const auto key = reader.get<std::uint32_t>();
  const auto key_length = reader.get<std::uint16_t>();
  read.flow = reader.name();
  read.length = reader.get<std::uint32_t>();
  read.bytes = reader.bytes(std::min(read.length, kLongestWire));
  read.key = read.bytes.substr(std::min<std::size_t>(key, read.bytes.size()), key_length);
  return read;
}

void Writer::grow(std::size_t bytes) {
  const std::size_t larger = std::max(size_ + bytes, std::max<std::size_t>(4096, 2 * capacity_));
  auto grown = std::make_unique_for_overwrite<char[]>(larger);
  if (size_ != 0) std::memcpy(grown.get(), bytes_.get(), size_);
  bytes_ = std::move(grown);
  capacity_ = larger;
}

}  // namespace jackfield::recorder
