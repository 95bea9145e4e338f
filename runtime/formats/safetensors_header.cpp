#include "runtime/formats/safetensors_header.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "compiler/core/text.h"
#include "runtime/formats/quote.h"
#include "runtime/formats/safetensors_dtype.h"
#include "runtime/formats/shape_set.h"

namespace aoa::formats {
namespace {

namespace ondemand = simdjson::ondemand;

// Products of extents fit 62 bits, whichever of them are multiplied: an extent of 0 excuses none of the others.
constexpr uint64_t kMaxElements = uint64_t{1} << 62;

constexpr size_t kMaxAxes = 64;

struct SeededHash {
  uint64_t seed = 0;
  size_t operator()(std::string_view text) const { return XXH3_64bits_withSeed(text.data(), text.size(), seed); }
};

Status At(uint64_t text_offset, const std::string& what) {
  return Status::Invalid(fmt::format("byte {}: {}", kHeaderLengthBytes + text_offset, what));
}

Status JsonFailure(uint64_t text_offset) { return At(text_offset, "the header is no JSON object of tensors"); }

// Where the first byte that is no UTF-8 stands.
size_t FirstBrokenByte(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    size_t length = Utf8Length(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

// One walk over one text.
class Reader {
 public:
  Reader(const HeaderText& text, ondemand::document& document, SeededHash hash)
      : text_(text.view()), document_(document), hash_(hash), shapes_(header_.shapes) {}

  Status ReadHeader() {
    ondemand::object object;
    if (document_.get_object().get(object)) return JsonFailure(Place());
    AOA_RETURN_IF_ERROR(ForEachField(object, [&](std::string_view name, ondemand::value value) {
      return name == kMetadataKey ? ReadMetadata(value) : ReadTensor(name, value);
    }));
    // The walk stands behind the object: at the end of the text, which is no place in it, or at something else.
    const char* rest = nullptr;
    if (document_.current_location().get(rest) == simdjson::SUCCESS)
      return At(Place(), "the header goes on behind its object");
    AOA_RETURN_IF_ERROR(CheckNames());
    return CheckRanges();
  }

  Status ReadMetadataObject() {
    ondemand::object object;
    if (document_.get_object().get(object)) return JsonFailure(Place());
    return ReadMetadataFields(object);
  }

  Header TakeHeader() { return std::move(header_); }

 private:
  // Calls handle(key, value) for each field. Keys are valid until the text is parsed again.
  template <class Handle>
  Status ForEachField(ondemand::object& object, const Handle& handle) {
    for (auto item : object) {
      ondemand::field field;
      if (std::move(item).get(field)) return JsonFailure(Place());
      const size_t place = static_cast<size_t>(field.key().raw() - text_.data());
      std::string_view key;
      if (field.unescaped_key().get(key)) return JsonFailure(place);
      key_place_ = place;
      AOA_RETURN_IF_ERROR(handle(key, field.value()));
    }
    return {};
  }

  // The best that is known of where the walk is.
  size_t Place() {
    const char* at = nullptr;
    if (document_.current_location().get(at) != simdjson::SUCCESS) return key_place_;
    return std::min<size_t>(static_cast<size_t>(at - text_.data()), text_.size());
  }

  Status ReadMetadata(ondemand::value value) {
    if (std::exchange(has_metadata_, true)) return At(key_place_, fmt::format("{} stands twice", Quote(kMetadataKey)));
    ondemand::object object;
    if (value.get_object().get(object)) return At(key_place_, fmt::format("{} is no object", Quote(kMetadataKey)));
    return ReadMetadataFields(object);
  }

  Status ReadMetadataFields(ondemand::object& object) {
    std::unordered_set<std::string_view, SeededHash> seen(16, hash_);
    return ForEachField(object, [&](std::string_view key, ondemand::value value) {
      std::string_view text;
      if (!seen.insert(key).second) return At(key_place_, fmt::format("metadata {} stands twice", Quote(key)));
      if (value.get_string().get(text)) return At(key_place_, fmt::format("metadata {} is no text", Quote(key)));
      header_.metadata.emplace_back(key, text);
      return Status();
    });
  }

  Status ReadTensor(std::string_view name, ondemand::value value) {
    const size_t place = key_place_;
    HeaderTensor tensor;
    tensor.name_begin = static_cast<uint32_t>(header_.names.size());
    tensor.name_size = static_cast<uint32_t>(name.size());
    header_.names += name;
    Status status = ReadFields(value, tensor);
    if (!status.ok()) {
      return std::move(status).WithContext(
          fmt::format("tensor {} at byte {}", Quote(name), kHeaderLengthBytes + place));
    }
    header_.tensors.push_back(tensor);
    return status;
  }

  // What a tensor's object holds, before it is looked at together.
  enum Field : unsigned { kUnknown = 0, kDtype = 1, kShape = 2, kOffsets = 4 };

  Status ReadFields(ondemand::value value, HeaderTensor& tensor) {
    ondemand::object object;
    if (value.get_object().get(object)) return Status::Invalid("its entry is no object");
    unsigned seen = 0;
    AOA_RETURN_IF_ERROR(ForEachField(object, [&](std::string_view key, ondemand::value field) {
      const Field which = key == "dtype"          ? kDtype
                          : key == "shape"        ? kShape
                          : key == "data_offsets" ? kOffsets
                                                  : kUnknown;
      if (which == kUnknown) return Status::Invalid(fmt::format("its field {} is unknown", Quote(key)));
      if ((seen & which) != 0) return Status::Invalid(fmt::format("its field {} stands twice", Quote(key)));
      seen |= which;
      return which == kDtype   ? ReadDtype(field, tensor)
             : which == kShape ? ReadShape(field)
                               : ReadOffsets(field, tensor);
    }));
    if ((seen & kDtype) == 0) return Status::Invalid("its dtype is missing");
    if ((seen & kShape) == 0) return Status::Invalid("its shape is missing");
    if ((seen & kOffsets) == 0) return Status::Invalid("its data_offsets are missing");
    AOA_RETURN_IF_ERROR(CheckBytes(tensor));
    tensor.shape = shapes_.Intern(shape_);
    return {};
  }

  static Status ReadDtype(ondemand::value value, HeaderTensor& tensor) {
    std::string_view name;
    if (value.get_string().get(name)) return Status::Invalid("its dtype is no text");
    AOA_ASSIGN_OR_RETURN(tensor.dtype, SafetensorsType(name));
    return {};
  }

  static Status NoWholeNumber(simdjson::simdjson_result<ondemand::value> item, const char* what) {
    constexpr size_t kLongest = 40;
    std::string_view token;
    if (item.raw_json_token().get(token)) token = "";
    token = token.substr(0, std::min(token.find_last_not_of(" \t\r\n") + 1, kLongest));
    return Status::Invalid(fmt::format("in its {}, {} is no whole number below 2^64", what, Quote(token)));
  }

  // Calls handle(number) for each element of an array of whole numbers.
  template <class Handle>
  static Status ForEachNumber(ondemand::value value, const char* what, const Handle& handle) {
    ondemand::array array;
    if (value.get_array().get(array)) return Status::Invalid(fmt::format("its {} is no list", what));
    for (auto item : array) {
      uint64_t number = 0;
      if (item.get_uint64().get(number)) return NoWholeNumber(item, what);
      AOA_RETURN_IF_ERROR(handle(number));
    }
    return {};
  }

  Status ReadShape(ondemand::value value) {
    shape_.clear();
    return ForEachNumber(value, "shape", [&](uint64_t extent) {
      if (extent > kMaxElements) return Status::Invalid(fmt::format("its extent {} is beyond all memory", extent));
      shape_.push_back(static_cast<int64_t>(extent));
      return shape_.size() <= kMaxAxes ? Status() : Status::Invalid(fmt::format("its axes are more than {}", kMaxAxes));
    });
  }

  static Status ReadOffsets(ondemand::value value, HeaderTensor& tensor) {
    size_t count = 0;
    AOA_RETURN_IF_ERROR(ForEachNumber(value, "data_offsets", [&](uint64_t offset) {
      (count++ == 0 ? tensor.begin : tensor.end) = offset;
      return count <= 2 ? Status() : Status::Invalid("its data_offsets are more than two");
    }));
    if (count < 2) return Status::Invalid("its data_offsets are fewer than two");
    if (tensor.end >= tensor.begin) return {};
    return Status::Invalid(
        fmt::format("its data_offsets end at {}, before they begin at {}", tensor.end, tensor.begin));
  }

  Status CheckBytes(const HeaderTensor& tensor) const {
    uint64_t elements = 1;  // of the extents that are not 0
    bool empty = false;
    for (int64_t extent : shape_) {
      if (extent == 0) empty = true;
      if (extent != 0 && elements > kMaxElements / static_cast<uint64_t>(extent)) {
        return Status::Invalid(fmt::format("its shape {} is beyond all memory", ToString(shape_)));
      }
      if (extent != 0) elements *= static_cast<uint64_t>(extent);
    }
    // At most 2^65: a file cannot be that long, and is not asked to be.
    __extension__ using Wide = unsigned __int128;
    const Wide needed = empty ? 0 : Wide(elements) * static_cast<unsigned>(Width(tensor.dtype));
    if (needed == tensor.end - tensor.begin) return {};
    return Status::Invalid(fmt::format("its shape {} of {} takes {} bytes, its data_offsets give {}", ToString(shape_),
                                       SafetensorsName(tensor.dtype), needed, tensor.end - tensor.begin));
  }

  // Every name once. Open addressing: the names lie in one text already, so a slot need only say which tensor.
  Status CheckNames() const {
    constexpr uint32_t kFree = UINT32_MAX;
    const size_t mask = std::bit_ceil(2 * header_.tensors.size() + 1) - 1;
    std::vector<uint32_t> slots(mask + 1, kFree);
    for (uint32_t i = 0; i < header_.tensors.size(); ++i) {
      std::string_view name = header_.Name(header_.tensors[i]);
      size_t slot = hash_(name) & mask;
      for (; slots[slot] != kFree; slot = (slot + 1) & mask) {
        if (header_.Name(header_.tensors[slots[slot]]) == name) {
          return Status::Invalid(fmt::format("tensor {} stands twice in the header", Quote(name)));
        }
      }
      slots[slot] = i;
    }
    return {};
  }

  // Sorts the tensors, which nearly all files do already, and sees that each begins where the one before it ends.
  Status CheckRanges() {
    auto before = [](const HeaderTensor& a, const HeaderTensor& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    };
    auto& tensors = header_.tensors;
    if (!std::is_sorted(tensors.begin(), tensors.end(), before))
      std::stable_sort(tensors.begin(), tensors.end(), before);
    uint64_t covered = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
      if (tensors[i].begin > covered) return Hole(tensors[i], covered);
      if (tensors[i].begin < covered) return Overlap(tensors[i], tensors[i - 1]);
      covered = tensors[i].end;
    }
    return {};
  }

  Status Hole(const HeaderTensor& tensor, uint64_t covered) const {
    return Status::Invalid(fmt::format("tensor {} begins at offset {}, and no tensor covers the bytes from {} on",
                                       Quote(header_.Name(tensor)), tensor.begin, covered));
  }

  Status Overlap(const HeaderTensor& tensor, const HeaderTensor& before) const {
    return Status::Invalid(fmt::format("tensor {} begins at offset {}, before tensor {} ends at {}",
                                       Quote(header_.Name(tensor)), tensor.begin, Quote(header_.Name(before)),
                                       before.end));
  }

  std::string_view text_;
  ondemand::document& document_;
  SeededHash hash_;
  Header header_;
  bool has_metadata_ = false;
  size_t key_place_ = 0;
  Shape shape_;  // of the tensor being read
  ShapeSet shapes_;
};

}  // namespace

const std::string* FindMetadata(const Metadata& metadata, std::string_view key) {
  auto it = std::find_if(metadata.begin(), metadata.end(), [&](const auto& entry) { return entry.first == key; });
  return it == metadata.end() ? nullptr : &it->second;
}

HeaderText::HeaderText(size_t size) : bytes_(size + simdjson::SIMDJSON_PADDING, '\0'), size_(size) {}

HeaderText::HeaderText(std::string_view text) : HeaderText(text.size()) { text.copy(bytes_.data(), text.size()); }

HeaderSplit SplitHeader(std::string_view text) {
  auto skip = [&](size_t at) { return std::min(text.find_first_not_of(' ', at), text.size()); };
  constexpr std::string_view kStart = "{\"__metadata__\"";
  if (!text.starts_with(kStart)) return {};
  size_t colon = skip(kStart.size());
  size_t begin = colon < text.size() && text[colon] == ':' ? skip(colon + 1) : text.size();
  if (begin == text.size() || text[begin] != '{') return {};
  bool inside_text = false;
  for (size_t at = begin + 1; at < text.size(); ++at) {
    char c = text[at];
    if (c == '"') inside_text = !inside_text;
    if (c == '\\') ++at;
    if (!inside_text && (c == '{' || c == '[')) return {};  // no object of texts: for the parser to refuse
    if (!inside_text && c == '}') return {begin, at + 1};
  }
  return {};
}

struct HeaderParser::Buffers {
  ondemand::parser parser;
  SeededHash hash{RandomSeed()};

  // Finds the structure of `text`; the walk itself is the reader's.
  Result<ondemand::document> Start(const HeaderText& text) {
    ondemand::document document;
    auto error = parser.iterate(text.view(), text.capacity()).get(document);
    if (error == simdjson::UTF8_ERROR) return At(FirstBrokenByte(text.view()), "the header is not UTF-8 from here on");
    if (error) return JsonFailure(0);
    return document;
  }
};

HeaderParser::HeaderParser() : buffers_(std::make_unique<Buffers>()) {}
HeaderParser::HeaderParser(HeaderParser&&) noexcept = default;
HeaderParser::~HeaderParser() = default;

Result<Header> HeaderParser::Parse(const HeaderText& text) {
  if (!text.view().starts_with('{')) return At(0, "the header does not begin with `{`");
  AOA_ASSIGN_OR_RETURN(auto document, buffers_->Start(text));
  Reader reader(text, document, buffers_->hash);
  AOA_RETURN_IF_ERROR(reader.ReadHeader());
  return reader.TakeHeader();
}

Result<Metadata> HeaderParser::ParseMetadata(const HeaderText& object) {
  AOA_ASSIGN_OR_RETURN(auto document, buffers_->Start(object));
  Reader reader(object, document, buffers_->hash);
  AOA_RETURN_IF_ERROR(reader.ReadMetadataObject());
  return reader.TakeHeader().metadata;
}

Status CheckDataBytes(const Header& header, uint64_t data_bytes) {
  if (data_bytes == header.data_bytes()) return {};
  if (data_bytes > header.data_bytes()) {
    return Status::Invalid(fmt::format("{} bytes follow behind the last tensor", data_bytes - header.data_bytes()));
  }
  auto cut =
      std::find_if(header.tensors.begin(), header.tensors.end(), [&](const auto& t) { return t.end > data_bytes; });
  return Status::Invalid(
      fmt::format("the file is truncated: {} bytes follow its header, the tensors take {}; the first one cut is {}",
                  data_bytes, header.data_bytes(), Quote(header.Name(*cut))));
}

}  // namespace aoa::formats
