import Backbones
import Runtime

/// Whether a training reproduces the faults of the published one: the values of the setting `compatibility`.
enum Compatibility: String, CaseIterable {
  case none, reference

  /// - Parameter setting: nil takes the default.
  init(setting: String?) throws(UsageFailure) {
    guard let setting else {
      self = .none
      return
    }
    guard let value = Self(rawValue: setting) else {
      throw UsageFailure("compatibility", "must be one of none, reference, not '\(printable(setting))'")
    }
    self = value
  }

  var faults: PublishedFaults { self == .reference ? .all : [] }
}
