// What a reader can be asked to be.
#pragma once

#include "io/reader.h"

namespace asyncstore::io {

// invalid_argument when a value lies outside its bounds.
base::Status check(const ReaderOptions& options);

}  // namespace asyncstore::io
