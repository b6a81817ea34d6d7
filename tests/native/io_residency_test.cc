#include <doctest/doctest.h>

#include "io/fifo.h"
#include "io/residency.h"
#include "io/slab.h"
#include "io/source_table.h"

using namespace asyncstore;

TEST_CASE("residency: trust is earned by an unbroken run") {
  io::Residency residency;
  CHECK(!residency.trusted());
  residency.found(255);
  CHECK(!residency.trusted());
  residency.missed();
  residency.found(255);
  CHECK(!residency.trusted());
  residency.found(1);
  CHECK(residency.trusted());
}

TEST_CASE("residency: each early disappointment doubles the run, a long service forgives") {
  io::Residency residency;
  residency.found(256);
  residency.disappointed();
  CHECK(!residency.trusted());
  residency.found(511);
  CHECK(!residency.trusted());
  residency.found(1);
  CHECK(residency.trusted());
  residency.found(16 * 512);
  residency.disappointed();
  residency.found(256);
  CHECK(residency.trusted());
  for (int i = 0; i < 100; ++i) {  // Bounded: trust can always be earned again.
    residency.missed();
    residency.disappointed();
  }
  residency.found(64 << 10);
  CHECK(residency.trusted());
}

TEST_CASE("fifo: order is kept while it moves and grows") {
  io::Fifo<int> fifo;
  int pushed = 0;
  int popped = 0;
  for (int step = 0; step < 10'000; ++step) {
    fifo.push(pushed++);
    if (step % 3 != 0) {
      CHECK(fifo.front() == popped++);
      fifo.pop();
    }
    CHECK(fifo.size() == static_cast<size_t>(pushed - popped));
    CHECK(fifo[fifo.size() - 1] == pushed - 1);
    if (step % 1000 == 999) {
      while (!fifo.empty()) {
        CHECK(fifo.front() == popped++);
        fifo.pop();
      }
      fifo.push(pushed++);
    }
  }
}

TEST_CASE("slab: numbers are used again") {
  io::Slab<int> slab;
  const uint32_t first = slab.take();
  const uint32_t second = slab.take();
  slab[first] = 1;
  slab[second] = 2;
  slab.give(first);
  CHECK(slab[second] == 2);
  CHECK(slab.take() == first);
  CHECK(slab.take() == 2);
}

TEST_CASE("source table: a newcomer takes a place over unless it is in use") {
  io::SourceTable<int> table;
  auto* old = table.claim(5);
  old->state = 7;
  CHECK(table.find(5) == old);
  CHECK(table.find(5 + table.k_places) == nullptr);
  old->users = 1;
  CHECK(table.claim(5 + table.k_places) == nullptr);
  old->users = 0;
  auto* next = table.claim(5 + table.k_places);
  REQUIRE(next != nullptr);
  CHECK(next->state == 0);
  CHECK(table.find(5) == nullptr);
  table.release(*next);
  CHECK(table.find(5 + table.k_places) == nullptr);
}
