// Who carries partitions' wishes for another ISR to the controller (Broker/AlterPartition).
#pragma once

#include <memory>

namespace broker {

class Partition;

class IsrChangeSink {
 public:
  virtual ~IsrChangeSink() = default;
  // `partition` has something to propose: Partition::take_isr_proposal(), then on_isr_answer(). May
  // come again for the same one, and for one that has changed its mind. Any thread, no lock held.
  virtual void isr_change_wanted(std::shared_ptr<Partition> partition) = 0;
};

}  // namespace broker
