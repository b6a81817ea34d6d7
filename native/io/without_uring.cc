// What stands in for io_uring in a build without it.
#ifdef ASYNCSTORE_WITHOUT_URING

#include "io/reader.h"

namespace asyncstore::io {
namespace {

base::Error unsupported() {
  return base::Error{base::Code::unsupported,
                     "this build has no io_uring (it was made with ASYNCSTORE_WITHOUT_URING=1); "
                     "install one that has, or set async_scorer to false or auto"};
}

}  // namespace

base::Result<std::unique_ptr<Reader>> make_uring_reader(const ReaderOptions&) {
  return unsupported();
}

base::Status probe_uring(const std::string&) {
  return unsupported();
}

}  // namespace asyncstore::io

#endif  // ASYNCSTORE_WITHOUT_URING
