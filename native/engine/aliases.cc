#include "engine/aliases.h"

#include <cerrno>

#include "base/limits.h"
#include "engine/errors.h"
#include "engine/framed_file.h"

namespace asyncstore::engine {

using base::ByteReader;
using base::Bytes;
using base::ByteWriter;
using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

constexpr Magic k_magic = {'A', 'S', 'A', 'L', 'I', 'A', 'S', '1'};
// Two names for each, of at most 255 characters of four bytes.
constexpr uint64_t k_file_bytes_max = uint64_t{base::k_collections_max} * 2 * (4 + 4 * 255) + 64;

// One action, on the names as those before it left them.
Status apply(const AliasAction& action, AliasMap& aliases,
             const Aliases::IsCollection& is_collection) {
  const bool renames = action.kind == AliasAction::Kind::rename;
  const auto found = aliases.find(action.alias);
  if (action.kind == AliasAction::Kind::remove) {
    aliases.erase(action.alias);
    return {};
  }
  if (renames && found == aliases.end()) {
    return Error{Code::collection_not_found, "Alias " + action.alias + " does not exists!"};
  }
  if (!renames && !is_collection(action.target)) {
    return no_collection(action.target);
  }
  const std::string& name = renames ? action.target : action.alias;
  if (is_collection(name)) {
    return name_taken(name);
  }
  std::string collection = renames ? found->second : action.target;
  if (renames) {
    aliases.erase(found);
  }
  aliases.insert_or_assign(name, std::move(collection));
  return {};
}

}  // namespace

std::vector<std::byte> encode(const AliasMap& aliases) {
  ByteWriter body;
  body.put(static_cast<uint32_t>(aliases.size()));
  for (const auto& [alias, collection] : aliases) {
    body.put_text(alias);
    body.put_text(collection);
  }
  return framed(k_magic, body.bytes());
}

Result<AliasMap> parse_aliases(const std::string& path, Bytes content) {
  TRY_ASSIGN(const Bytes body, body_of(path, k_magic, content));
  ByteReader reader(body);
  AliasMap aliases;
  const auto count = reader.take<uint32_t>();
  for (uint32_t i = 0; i < count && reader.ok(); ++i) {
    std::string alias = reader.take_text();
    std::string collection = reader.take_text();
    const bool ascends = aliases.empty() || aliases.rbegin()->first < alias;
    if (!reader.ok() || !ascends || alias.empty() || collection.empty()) {
      return does_not_parse(path, reader);
    }
    aliases.emplace_hint(aliases.end(), std::move(alias), std::move(collection));
  }
  if (!reader.ok() || reader.remaining() != 0 || count > base::k_collections_max) {
    return does_not_parse(path, reader);
  }
  return aliases;
}

void Aliases::open(const IsCollection& may_be_collection) {
  const auto content = io::read_file(*storage_, path_, k_file_bytes_max);
  if (!content.ok()) {
    if (content.error().os_errno != ENOENT) {
      damage_ = content.error();
    }
    return;
  }
  auto parsed = parse_aliases(path_, content.value());
  if (!parsed.ok()) {
    damage_ = std::move(parsed.error());
    damage_->message +=
        " Aliases cannot be used: put the file back, or remove it while the store "
        "is closed and make them anew.";
    return;
  }
  saved_ = std::move(parsed.value());
  aliases_ = saved_;
  std::erase_if(aliases_, [&](const auto& alias) { return !may_be_collection(alias.second); });
}

Result<AliasMap> Aliases::all() const {
  if (damage_) {
    return *damage_;
  }
  const std::lock_guard lock(mutex_);
  return aliases_;
}

Result<bool> Aliases::contains(const std::string& alias) const {
  if (damage_) {
    return *damage_;
  }
  const std::lock_guard lock(mutex_);
  return aliases_.contains(alias);
}

Status Aliases::change(std::span<const AliasAction> actions, const IsCollection& is_collection) {
  TRY_ASSIGN(AliasMap changed, all());
  for (const AliasAction& action : actions) {
    TRY(apply(action, changed, is_collection));
  }
  if (changed.size() > base::k_collections_max) {
    return base::invalid_argument("a store has at most " + std::to_string(base::k_collections_max) +
                                  " aliases");
  }
  TRY(save(changed));
  const std::lock_guard lock(mutex_);
  aliases_ = std::move(changed);
  return {};
}

void Aliases::forget(const std::string& collection) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(aliases_, [&](const auto& alias) { return alias.second == collection; });
  }
  // What the file keeps is passed over at the next open, and settled before it could mislead.
  static_cast<void>(settle().ok());
}

Status Aliases::settle() {
  return damage_ ? Status(*damage_) : save(aliases_);
}

// Nothing is written where nothing changed.
Status Aliases::save(const AliasMap& aliases) {
  if (failure_) {
    return *failure_;
  }
  if (aliases == saved_) {
    return {};
  }
  Status replaced = io::replace_file(*storage_, path_, encode(aliases));
  if (replaced.ok()) {
    saved_ = aliases;
    return {};
  }
  const bool none = saved_.empty() && !storage_->exists(path_);
  if (!none && !stands(*storage_, path_, encode(saved_))) {
    failure_ = Error{Code::failed, "changing aliases stopped: " + replaced.error().message +
                                       ". Open the store again to change them."};
  }
  return replaced;
}

}  // namespace asyncstore::engine
