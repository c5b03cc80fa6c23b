# The coordinators: the cores in broker/group and broker/txn over their topics.
moldau_library(broker_coordinator
  SOURCES broker_peers.cc leader_check.cc coordinator.cc coordinator_config.cc coordinator_loader.cc coordinator_shard.cc
    coordinator_shard_append.cc coordinator_topic.cc group_topics.cc log_reader.cc txn_coordinator.cc txn_markers.cc txn_shard.cc
  DEPS broker_node broker_group broker_txn broker_replication)
