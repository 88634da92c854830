import Compute
import Foundation
import Layers
import Tensors

/// The optimizer's state shared out over all ranks (ZeRO stage 1, Rajbhandari et al. 2020): each rank keeps that of its own
/// parameters, updates them, and gets the new values of the others.
struct OptimizerShards: Sendable {
  private let parameters: [Parameter]
  private let plan: GradientBuckets
  private let collective: any Collective

  init(_ parameters: [Parameter], _ plan: GradientBuckets, _ collective: any Collective) {
    self.parameters = parameters
    self.plan = plan
    self.collective = collective
  }

  private func isOwn(_ index: Int) -> Bool { plan.owners[index] == collective.rank }

  /// Places of the parameters whose state this rank keeps.
  var ownIndices: [Int] { parameters.indices.filter(isOwn) }

  var own: [Parameter] { ownIndices.map { parameters[$0] } }

  /// The parameters whose state other ranks keep.
  var foreign: [Parameter] { parameters.indices.filter { !isOwn($0) }.map { parameters[$0] } }

  /// Length of all gradients together, of which each rank has those of its own parameters; the bits are those of
  /// `globalNorm`.
  func norm(of gradients: [(parameter: Parameter, gradient: Tensor)]) throws -> Double {
    let squares = Dictionary(gradients.map { ($0.parameter.key, $0.gradient.squaredNorm()) }) { first, _ in first }
    return try collective.sum(parameters.map { squares[$0.key] ?? 0 }).reduce(0, +).squareRoot()
  }

  /// Gives this rank's new weights to the others and takes theirs.
  func spread() throws {
    for bucket in plan.buckets {
      let dtype = parameters[bucket.parameters[0]].tensor.dtype
      let rows = bucket.parameters.filter(isOwn).map { index in
        parameters[index].tensor.detached.reshaped([parameters[index].shape.count])
      }
      let own = rows.isEmpty ? Tensor(rowOf: 0, dtype) : Tensor.concatenated(rows, axis: 0).stored(as: dtype)
      let all = Tensor(rowOf: bucket.count, dtype)
      try collective.exchange(
        Transfer(own, giving: bucket.regions.map { _ in 0..<own.count }, to: all, taking: bucket.regions))
      for (index, place) in zip(bucket.parameters, bucket.places) where !isOwn(index) {
        parameters[index].update(to: all.sliced(0, place).reshaped(parameters[index].shape))
      }
    }
  }

  /// This rank's part of a whole state, with what belongs to no parameter, so that it is found.
  func part(of state: OptimizerState) -> OptimizerState {
    let foreign = Set(foreign.map(\.key))
    return OptimizerState(
      tensors: state.tensors.filter { !foreign.contains(OptimizerState.parameterKey(of: $0.key)) },
      updates: state.updates.filter { !foreign.contains($0.key) })
  }

  /// The whole state on the first rank, from the parts of all; nil on others.
  func collected(_ part: OptimizerState) throws -> OptimizerState? {
    let own = part.tensors.sorted { $0.key < $1.key }
    let listing = Listing(
      tensors: own.map { Listing.Entry(name: $0.key, dtype: $0.value.dtype, shape: $0.value.shape.extents) },
      updates: part.updates)
    let listings = try collective.gathered(String(decoding: try JSONEncoder().encode(listing), as: UTF8.self))
      .map { try JSONDecoder().decode(Listing.self, from: Data($0.utf8)) }
    var whole = part
    for (giver, listing) in listings.enumerated().dropFirst() {
      for (index, entry) in listing.tensors.enumerated() {
        let target = Tensor(rowOf: collective.isFirst ? Shape(entry.shape).count : 0, entry.dtype)
        try give(giver == collective.rank ? own[index].value : nil, from: giver, to: target)
        if collective.isFirst { whole.tensors[entry.name] = target.reshaped(Shape(entry.shape)) }
      }
      whole.updates.merge(listing.updates) { first, _ in first }
    }
    return collective.isFirst ? whole : nil
  }

  /// Moves a tensor of the rank `giver` to the first rank.
  private func give(_ tensor: Tensor?, from giver: Int, to target: Tensor) throws {
    let source = tensor.map { $0.layout.isDense ? $0 : $0.gathered() } ?? Tensor(rowOf: 0, target.dtype)
    var given = Array(repeating: 0..<0, count: collective.size)
    var taken = given
    given[0] = 0..<source.count
    taken[giver] = 0..<target.count
    try collective.exchange(Transfer(source, giving: given, to: target, taking: taken))
  }

  /// What a rank's part of the state holds.
  private struct Listing: Codable {
    struct Entry: Codable {
      let name: String
      let dtype: DType
      let shape: [Int]
    }

    let tensors: [Entry]
    let updates: [String: Int]
  }
}
