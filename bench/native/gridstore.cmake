# Gridstore against RocksDB and LMDB, where they are installed (librocksdb-dev, liblmdb-dev).
add_executable(gridstore_bench
  ${CMAKE_CURRENT_LIST_DIR}/gridstore_bench.cc
  ${CMAKE_CURRENT_LIST_DIR}/gridstore_bench_size.cc
  ${CMAKE_CURRENT_LIST_DIR}/gridstore_bench_stores.cc)
target_compile_options(gridstore_bench PRIVATE -O2 -Wall -Wextra -Werror)
target_link_libraries(gridstore_bench PRIVATE asyncstore_core)
foreach(peer rocksdb lmdb)
  find_library(${peer}_library NAMES ${peer})
  if(${peer}_library)
    string(TOUPPER ${peer} name)
    target_compile_definitions(gridstore_bench PRIVATE ASYNCSTORE_BENCH_${name}=1)
    target_link_libraries(gridstore_bench PRIVATE ${${peer}_library})
  endif()
endforeach()
