# partition_replication_test with seeded defects: what has them is compiled again, and its objects come before the
# clean libraries.
add_executable(replication_mutants replication_mutants.cc partition.cc partition_follow.cc
  partition_role.cc partition_upkeep.cc partition_waiting.cc ../replica/leadership.cc
  ../replica/divergence.cc)
target_compile_definitions(replication_mutants PRIVATE MOLDAU_MUTANTS)
target_link_libraries(replication_mutants PRIVATE broker_node sim_world sim_disk)
add_test(NAME replication_mutants COMMAND replication_mutants)
set_tests_properties(replication_mutants PROPERTIES LABELS sim TIMEOUT 120)
