# The group coordinators: the core in broker/group over partitions of __consumer_offsets.
moldau_library(broker_coordinator
  SOURCES coordinator.cc coordinator_loader.cc coordinator_shard.cc coordinator_topic.cc
  DEPS broker_node broker_group)
