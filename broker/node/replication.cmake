# What makes a broker one of a cluster.
moldau_library(broker_replication
  SOURCES fetch_loop.cc fetch_loop_rest.cc follower.cc isr_changes.cc peer_connection.cc
    registrar.cc replicator.cc
  DEPS broker_node)
