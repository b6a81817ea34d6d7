# The measuring program of native/index: cmake --build … --target graph_bench
add_executable(graph_bench ${CMAKE_CURRENT_LIST_DIR}/graph_bench.cc)
target_link_libraries(graph_bench PRIVATE asyncstore_core)
target_compile_options(graph_bench PRIVATE -O3 -Wall -Wextra -Werror)
