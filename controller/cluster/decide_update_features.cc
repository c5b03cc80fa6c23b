#include <set>

#include "common/meta/features.h"
#include "controller/cluster/decide.h"
#include "controller/cluster/verdict.h"

namespace controller::cluster {
namespace {

enum UpgradeType { kUpgrade = 1, kSafeDowngrade = 2, kUnsafeDowngrade = 3 };

std::unexpected<Refusal> invalid(const proto::UpdateFeaturesRequest::Feature& feature,
                                 const std::string& why) {
  return refuse(wire::ErrorCode::kInvalidUpdateVersion,
                "Invalid update version " + std::to_string(feature.level()) + " for feature " +
                    feature.name() + ". " + why);
}

Verdict<void> check(const proto::UpdateFeaturesRequest::Feature& feature,
                    const meta::Image& image) {
  const meta::SupportedFeature* supported = meta::supported_feature(feature.name());
  if (!supported) return invalid(feature, "This release does not support this feature.");
  if (feature.level() < supported->min || feature.level() > supported->max) {
    return invalid(feature, "This release supports versions " + std::to_string(supported->min) +
                                "-" + std::to_string(supported->max) + ".");
  }
  const std::int16_t current = image.feature(feature.name());
  switch (feature.upgrade_type()) {
    case kUpgrade:
      if (feature.level() < current) {
        return invalid(feature,
                       "A lower level needs an upgrade type that allows it (safe or unsafe "
                       "downgrade).");
      }
      return {};
    case kSafeDowngrade:
    case kUnsafeDowngrade:
      if (feature.level() > current) {
        return invalid(feature, "A downgrade cannot end at a higher level.");
      }
      return {};
    default:
      return invalid(feature, "The upgrade type is unknown.");
  }
}

}  // namespace

std::vector<proto::Record> bootstrap(base::Uuid cluster_id) {
  std::vector<proto::Record> records(1);
  auto* cluster = records.front().mutable_cluster()->mutable_cluster_id();
  cluster->set_high(cluster_id.high);
  cluster->set_low(cluster_id.low);
  for (const auto& each : meta::kSupportedFeatures) {
    if (each.initial == 0) continue;
    auto* feature = records.emplace_back().mutable_feature();
    feature->set_name(std::string(each.name));
    feature->set_level(each.initial);
  }
  return records;
}

// All or nothing, as in Kafka: one level that cannot be had refuses the others.
Decision<proto::UpdateFeaturesReply> update_features(const proto::UpdateFeaturesRequest& request,
                                                     const meta::Image& image) {
  Decision<proto::UpdateFeaturesReply> out;
  std::set<std::string> seen;
  for (const auto& feature : request.features()) {
    auto* reply = out.reply.add_features();
    reply->set_name(feature.name());
    Verdict<void> good = check(feature, image);
    if (!seen.insert(feature.name()).second) {
      good = refuse(wire::ErrorCode::kInvalidRequest, "The feature is named twice.");
    }
    if (!good) {
      set_error(reply->mutable_error(), good.error());
      if (!out.reply.has_error()) set_error(out.reply.mutable_error(), good.error());
      continue;
    }
    if (feature.level() == image.feature(feature.name())) continue;
    auto* record = out.records.emplace_back().mutable_feature();
    record->set_name(feature.name());
    record->set_level(feature.level());
  }
  if (request.validate_only() || out.reply.has_error()) out.records.clear();
  return out;
}

}  // namespace controller::cluster
