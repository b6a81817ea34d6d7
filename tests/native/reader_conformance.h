// What every Reader is tested with: the flavours, files of known content, and a sink that compares.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/reader.h"
#include "io_temporary_folder.h"

namespace asyncstore::io_test {

// One way of making a reader.
struct Flavour {
  std::string name;
  bool direct;  // its sources are opened with O_DIRECT as well
  std::function<base::Result<std::unique_ptr<io::Reader>>(io::ReaderOptions)> make;
};

// All that work here. io_uring's are left out where probe_uring() fails, and only there.
const std::vector<Flavour>& flavours();
// Empty when io_uring works here.
const std::string& uring_missing_because();

// A file whose content the test knows.
struct KnownFile {
  std::string path;
  std::vector<std::byte> content;
  std::shared_ptr<io::Source> source;
};
KnownFile make_known_file(const TemporaryFolder& folder, const std::string& name, uint64_t size,
                          uint64_t seed, bool direct);

// Compares each row with the file's content when it lands; a request's context is its KnownFile.
class CheckingSink : public io::Sink {
 public:
  void landed(const io::ReadRequest& request, base::Bytes data, const base::Error* error) override;

  std::map<uint32_t, uint32_t> times_landed;  // by request.index
  std::map<uint32_t, base::Error> errors;
  std::function<void(const io::ReadRequest&)> then;  // runs after the comparison
};

// Requests 0 … count - 1 landed, each once.
void each_landed_once(const CheckingSink& sink, uint32_t count);

io::ReadRequest request_of(KnownFile& file, uint64_t offset, uint32_t length, uint32_t index);

// Reaps until nothing is pending.
void drain(io::Reader& reader, io::Sink& sink);

std::unique_ptr<io::Reader> make(const Flavour& flavour, io::ReaderOptions options = {});

}  // namespace asyncstore::io_test
