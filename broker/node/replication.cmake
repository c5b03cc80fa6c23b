# What makes a broker one of a cluster.
moldau_library(broker_replication
  SOURCES fetch_loop.cc fetch_loop_rest.cc fetch_loop_session.cc follower.cc isr_changes.cc peer_connection.cc replicator.cc
  DEPS broker_node)
moldau_test(broker_replication_test SOURCES fetch_loop_test.cc peer_connection_test.cc
  DEPS broker_replication sim_world)

# The loop with seeded defects, compiled again for its own tests.
add_executable(fetch_loop_mutants fetch_loop_mutants.cc fetch_loop_test.cc fetch_loop.cc
  fetch_loop_rest.cc fetch_loop_session.cc)
target_compile_definitions(fetch_loop_mutants PRIVATE MOLDAU_MUTANTS)
target_link_libraries(fetch_loop_mutants PRIVATE broker_replication sim_world GTest::gtest GTest::gmock)
add_test(NAME fetch_loop_mutants COMMAND fetch_loop_mutants)
set_tests_properties(fetch_loop_mutants PROPERTIES LABELS sim TIMEOUT 60)
