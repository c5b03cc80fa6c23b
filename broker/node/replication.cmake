# What makes a broker one of a cluster.
moldau_library(broker_replication
  SOURCES fetch_loop.cc fetch_loop_rest.cc follower.cc isr_changes.cc peer_connection.cc replicator.cc
  DEPS broker_node)
moldau_test(broker_replication_test SOURCES fetch_loop_test.cc peer_connection_test.cc
  DEPS broker_replication sim_world)
