# The measuring program of native/fields: cmake --build … --target fields_bench
add_executable(fields_bench ${CMAKE_CURRENT_LIST_DIR}/fields_bench.cc)
target_link_libraries(fields_bench PRIVATE asyncstore_core)
target_compile_options(fields_bench PRIVATE -O2 -Wall -Wextra -Werror)
