// The collections of a store: a numbered folder for each, found by name.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/aliases.h"
#include "engine/collection.h"
#include "engine/options.h"
#include "io/storage.h"

namespace asyncstore::engine {

// A collection that could not be opened.
struct BrokenCollection {
  std::string name;  // or the folder's number, where the name cannot be read
  std::string folder;
  base::Error error;
  bool has_name = true;
};

// A number in decimal digits, such as the name of a collection's folder; 0 for other text.
uint64_t number_of(const std::string& text);

// A collection that was brought from elsewhere, open and sound, before it counts.
struct Arrival {
  std::shared_ptr<Collection> collection;
  std::string folder;
};

// open() and close() come first and last; create(), remove(), replace() and
// change_aliases() from one thread at a time; the others from any thread.
class Catalog {
 public:
  Catalog(std::shared_ptr<io::Storage> storage, std::string folder, const Options& options)
      : storage_(std::move(storage)),
        folder_(std::move(folder)),
        options_(options),
        aliases_(storage_, folder_ + "/ALIASES") {}

  // Opens what is there. A damaged collection does not keep the others from being used: it is
  // listed in broken(). What a crash left of a creation or a deletion is removed.
  base::Status open();
  void close();

  std::vector<std::shared_ptr<Collection>> collections() const;
  std::vector<BrokenCollection> broken() const;
  // The error of a damaged file of them.
  base::Result<AliasMap> aliases() const { return aliases_.all(); }

  base::Result<std::shared_ptr<Collection>> create(CollectionFile file);
  // False when there is none of the name. `leave` is called once for a collection that is in use:
  // it ends the collection's writes. Afterwards the files are gone, but for those that searches
  // still read. The aliases of the collection go with it.
  base::Result<bool> remove(const std::string& name, const std::function<void(Collection&)>& leave);
  base::Status change_aliases(std::span<const AliasAction> actions);

  // Takes the folder `source`, on the same file system, which holds the files of a collection and
  // nothing else, and verifies all of them: opens them under the name given and reads them through.
  // Nobody else sees the collection; a crash leaves nothing of it. An error may leave `source`.
  base::Result<Arrival> receive(const std::string& source, const std::string& name,
                                const std::function<bool()>& stopping);
  // Puts the arrival in the place of the collection of its name, if there is one, which is removed
  // as remove() does. A crash leaves one of them, whole.
  base::Status replace(const Arrival& arrival, const std::function<void(Collection&)>& leave);
  // Removes one that is not wanted after all.
  void refuse(const Arrival& arrival);

 private:
  base::Status open_folder(const std::string& number);
  void begin_opening(std::span<const uint64_t> numbers);
  bool is_stopped() const;
  void open_aliases();
  bool is_collection(const std::string& name) const;
  // Before there is a collection of a new name.
  base::Status check_no_alias(const std::string& name);
  base::Result<std::string> move_in(const std::string& source, const CollectionFile& file);
  base::Status forget_older(const std::string& folder, const std::string& name);
  void remove_replaced(const std::string& name, const std::string& by,
                       const std::function<void(Collection&)>& leave);
  bool is_taken(const std::string& name) const;  // under the lock
  bool is_remnant(const std::string& folder);
  base::Status remove_files(const std::string& folder);
  base::Status mark_deleted(const std::string& folder);

  const std::shared_ptr<io::Storage> storage_;
  const std::string folder_;
  const Options& options_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Collection>> collections_;
  std::vector<BrokenCollection> broken_;
  Aliases aliases_;
  uint64_t next_number_ = 1;
};

}  // namespace asyncstore::engine
