// Dictionaries on disk: each in two files, of which one suffices.
#include <optional>
#include <utility>

#include "gridstore/gridstore.h"

namespace asyncstore::gridstore {

using base::Error;
using base::Status;

// Dictionaries 1 … `count` are those that committed values may need. One that is lost in both
// files leaves values that cannot be read, and the others as they are.
Status Gridstore::load_dictionaries(uint32_t count) {
  for (uint32_t number = 1; number <= count; ++number) {
    std::shared_ptr<const Dictionary> found;
    std::optional<Error> damage;
    std::optional<DictionaryCopy> damaged;
    for (const DictionaryCopy copy : k_dictionary_copies) {
      auto read = read_dictionary(*storage_, dictionary_path(folder_, number, copy), options_.owner,
                                  number);
      if (!read.ok()) {
        damage = std::move(read.error());
        damaged = copy;
      } else if (!found) {
        found = std::make_shared<const Dictionary>(std::move(read.value()));
      }
    }
    // What cannot be mended now, on a full disk say, is mended at the next open.
    if (damage && found && rewrite_dictionary(*found, *damaged).ok()) {
      mended_.push_back(std::move(*damage));
    } else if (damage) {
      note_damage(*damage);
    }
    codec_.add_dictionary(std::move(found));
  }
  dictionaries_saved_.store(count, std::memory_order_relaxed);
  return {};
}

// The sound file is not touched.
Status Gridstore::rewrite_dictionary(const Dictionary& dictionary, DictionaryCopy damaged) {
  const std::string path = dictionary_path(folder_, dictionary.number, damaged);
  TRY(write_dictionary(*storage_, path, options_.owner, dictionary));
  return storage_->sync_folder(folder_);
}

Status Gridstore::mend_dictionary(uint32_t number) {
  const auto dictionary = codec_.dictionary(number);
  for (const DictionaryCopy copy : k_dictionary_copies) {
    const auto read =
        read_dictionary(*storage_, dictionary_path(folder_, number, copy), options_.owner, number);
    if (dictionary && !read.ok()) {
      TRY(rewrite_dictionary(*dictionary, copy));
    }
  }
  return {};
}

std::vector<DictionaryFile> Gridstore::lacking_dictionaries() const {
  std::vector<DictionaryFile> files;
  for (uint32_t number = dictionaries_saved_.load(std::memory_order_relaxed) + 1;
       number <= codec_.dictionary_count(); ++number) {
    for (const DictionaryCopy copy : k_dictionary_copies) {
      files.push_back({codec_.dictionary(number), dictionary_path(folder_, number, copy)});
    }
  }
  return files;
}

void Gridstore::check_dictionaries(const ReportDictionary& report) const {
  const uint32_t count = dictionaries_saved_.load(std::memory_order_relaxed);
  for (uint32_t number = 1; number <= count; ++number) {
    for (const DictionaryCopy copy : k_dictionary_copies) {
      const auto read = read_dictionary(*storage_, dictionary_path(folder_, number, copy),
                                        options_.owner, number);
      if (!read.ok()) {
        report(number, read.error());
      }
    }
  }
}

}  // namespace asyncstore::gridstore
