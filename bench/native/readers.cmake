# The measuring program of native/io: cmake --build … --target readers_bench
add_executable(readers_bench ${CMAKE_CURRENT_LIST_DIR}/readers_bench.cc)
target_link_libraries(readers_bench PRIVATE asyncstore_core)
target_compile_options(readers_bench PRIVATE -O2 -Wall -Wextra -Werror)
