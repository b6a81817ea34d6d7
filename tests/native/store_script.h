// A script of everything that changes a store, and what a store may hold that ran it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store_fixture.h"

namespace asyncstore::engine_test {

// What was done to a store: the state after each operation that was submitted, in order.
struct History {
  bool created = false;  // the collection "c": acknowledged
  std::vector<Model> states = {{}};
  size_t acknowledged = 0;  // operations; those behind may have happened or not
  bool removed = false;     // the collection "gone", which came and went in between: acknowledged
  std::vector<engine::AliasMap> aliases = {{}};  // after each change, as the states
  size_t aliases_acknowledged = 0;
  std::vector<Text> configs = {{}};  // of "c", likewise
  size_t configs_acknowledged = 0;
  std::optional<base::Error> error = std::nullopt;  // that ended the script
};

struct Script {
  uint64_t seed = 1;
  int group = 3;  // writes that are under way at once
  // Done in the midst, and repaired.
  std::function<void(const engine::Collection&)> damage = nullptr;
  // Called with the store that is still open, once, when something failed; null when it could not
  // be opened, or when its collection could not.
  std::function<void(Store&, const std::shared_ptr<engine::Collection>&, History&)> failed =
      nullptr;
  // Called before and after the store is closed: what fails then, nobody hears of.
  std::function<void(bool closing)> closing = nullptr;
};

std::vector<segment::Field> script_fields();
// What a configuration of the script says of the optimizer.
engine::OptimizerOverrides optimizers_of(const Text& config);

// Upserts in all modes, vectors set and deleted, payloads overwritten, merged and removed, points
// deleted, sealing, merging, checkpoints, aliases, configurations, another collection that comes
// and goes, the store closed calmly and in the midst of its work, and opened again: as far as it
// gets.
History run_script(const std::string& path, const std::shared_ptr<io::Storage>& storage,
                   const Script& script);

// The store at `path` opens, holds a state that the history allows, and goes on working: how much
// of that is tried follows from the seed. `damaged`: something may have to be repaired.
void check_history(const std::string& path, const History& history, uint64_t seed,
                   bool damaged = false);

}  // namespace asyncstore::engine_test
