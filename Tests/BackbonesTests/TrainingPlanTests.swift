import Checkpoints
import Foundation
import Layers
import Runtime
import Tensors
import TestSupport
import Testing
import VideoTransformers

@testable import Backbones

@Suite("Training plan")
struct TrainingPlanTests {
  private func plan(_ text: String) throws -> TrainingPlan {
    try JSONDecoder().decode(TrainingPlan.self, from: Data("{\(text)}".utf8))
  }

  private func configuration(layers: Int = 42, expertLayers: [Int] = []) -> CogVideoXConfiguration {
    var configuration = CogVideoXConfiguration()
    configuration.layerCount = layers
    configuration.expertLayers = expertLayers
    return configuration
  }

  @Test(
    "names of layer lists count from 1, as the paper does",
    arguments: [
      (ExpertLayers.Name.all, Array(0..<42)), (.odd, Array(stride(from: 0, through: 40, by: 2))),
      (.even, Array(stride(from: 1, through: 41, by: 2))), (.firstHalf, Array(0...20)),
      (.oddFirstHalf, Array(stride(from: 0, through: 20, by: 2))), (.firstAndLast, [0, 41]),
      (.everyFourth, Array(stride(from: 0, through: 40, by: 4))),
    ])
  func layers(name: ExpertLayers.Name, indices: [Int]) throws {
    #expect(ExpertLayers.named(name).indices(of: 42) == indices)
    let plan = try plan("\"layers\": \"\(name.rawValue)\"")
    #expect(try plan.applied(to: configuration()).expertLayers == indices)
  }

  @Test("without keys the plan is the published one: all of the checkpoint's expert, or a new one on all blocks")
  func defaults() throws {
    let plan = try plan("")
    #expect(plan == TrainingPlan())
    #expect(try plan.applied(to: configuration(expertLayers: [0, 5])).expertLayers == [0, 5])
    #expect(try plan.applied(to: configuration(layers: 3)).expertLayers == [0, 1, 2])
    #expect(plan.isTrained("transformer_blocks.0.attn1_mot_ref.to_q.weight"))
    #expect(!plan.isTrained("transformer_blocks.0.attn1.to_q.weight"))
    #expect(!plan.isTrained("patch_embed_mot_ref.pos_embedding"))
    #expect(plan.adapterSources(seed: 1).isEmpty)
    #expect(try plan.applied(to: WanConfiguration()).expertLayers == Array(0..<40))
  }

  @Test("a single branch trains all of the base, or adapters alone")
  func singleBranch() throws {
    let full = try plan(#""train": "full", "coupling": "in-context""#)
    let changed = try full.applied(to: configuration(expertLayers: [0, 1]))
    #expect(changed.coupling == .inContext && changed.expertLayers.isEmpty && changed.readsReferences)
    #expect(full.isTrained("proj_out.weight") && !full.isTrained("patch_embed.pos_embedding"))
    let lora = try plan(#""train": "lora", "coupling": "in-context", "lora": {"rank": 64}"#)
    #expect(lora.adapters.rank == 64 && lora.adapters.alpha == 64)
    #expect(lora.adapters.isTarget("transformer_blocks.3.attn1_mot_ref.to_out.0"))
    #expect(!lora.adapters.isTarget("transformer_blocks.3.ff.net.2") && !lora.isTrained("proj_out.weight"))
    #expect(
      lora.adapters.expression == "(transformer_blocks|single_transformer_blocks|blocks).*(to_q|to_k|to_v|to_out.0)")
    #expect(lora.adapterSources(seed: 1).count == 1)
  }

  @Test(
    "plans that contradict themselves or their model are refused with the key",
    arguments: [
      (#""train": "half""#, "train"), (#""layers": "third""#, "layers"), (#""layers": [0, 42]"#, "layers"),
      (#""layers": [1, 1]"#, "block_idx"), (#""layers": []"#, "layers"), (#""coupling": "in-context""#, "train"),
      (#""train": "full", "coupling": "in-context", "layers": "odd""#, "layers"), (#""lora": {"rank": 4}"#, "lora"),
      (#""train": "lora", "lora": {"rank": 0}"#, "lora.rank"), (#""train": "lora", "lora": {"size": 1}"#, "lora.size"),
      (#""train": "lora", "lora": {"targets": []}"#, "lora.targets"), (#""noisy-references": 0"#, "noisy-references"),
      (#""noisy-references": 5, "coupling": "addition""#, "reference_train_mode"),
    ])
  func refusals(text: String, field: String) throws {
    let error = try #require(throws: InvalidField.self) { try plan(text).applied(to: configuration()) }
    #expect(error.field.hasPrefix(field), "\(error)")
  }

  @Test("Wan takes the same plans")
  func wan() throws {
    var expert = WanConfiguration()
    expert.expertLayers = [0, 4]
    #expect(try plan(#""layers": "every-4th""#).applied(to: WanConfiguration()).expertLayers == (0..<10).map { 4 * $0 })
    #expect(try plan(#""layers": "odd""#).applied(to: expert).expertLayers.count == 20)
    for coupling in [Coupling.crossAttention, .addition] {
      let changed = try plan("\"coupling\": \"\(coupling.rawValue)\"").applied(to: expert)
      #expect(changed.coupling == coupling && changed.expertLayers == [0, 4])
    }
    let single = try plan(#""train": "lora", "coupling": "in-context", "position-design": "identical""#)
    let changed = try single.applied(to: expert)
    #expect(changed.className == "WanTransformer3DModel" && changed.readsReferences)
    #expect(changed.positionDesign == .identical)
    #expect(single.adapters.isTarget("blocks.3.attn2.to_k") && !single.adapters.isTarget("blocks.3.attn2.add_k_proj"))
    #expect(try plan(#""noisy-references": 3"#).applied(to: expert).predictsReferences)
  }

  private static let checkpoint = Fixtures.path("cogvideox-tiny/checkpoint")

  private func additions(_ plan: TrainingPlan) -> TransformerAdditions {
    var additions = TransformerAdditions()
    additions.plan = plan
    return additions
  }

  private func backbone(_ plan: TrainingPlan) throws -> CogVideoXBackbone {
    try CogVideoXBackbone(directory: Self.checkpoint, additions: additions(plan))
  }

  /// Expects a backbone's `config.json` to give its configuration again, and an expert that its checkpoint lacks to
  /// start as the base's copy.
  private func expectPlan<Backbone: TrainableBackbone>(_ backbone: Backbone, copied key: String) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(backbone.configurationText(), to: "config.json")
    #expect(try ConfigFile.decode(Backbone.Configuration.self, at: path) == backbone.transformer)
    let loader = ParameterLoader(try backbone.openWeights(), training: backbone.isTrained)
    _ = backbone.makeDenoiser(in: loader.root)
    try loader.finish()
    let values = Dictionary(uniqueKeysWithValues: loader.parameters.map { ($0.key, $0) })
    let copy = try #require(values[key])
    #expect(copy.isTrainable)
    #expect(copy.tensor.floats() == values[key.replacing("_mot_ref", with: "")]?.tensor.floats())
  }

  @Test("a backbone with a plan has its configuration, and an expert where the checkpoint has none")
  func backbone() throws {
    let plan = try plan(#""layers": [2], "position-design": "identical""#)
    let backbone = try backbone(plan)
    #expect(backbone.transformer.expertLayers == [2] && backbone.transformer.positionDesign == .identical)
    try expectPlan(backbone, copied: "transformer_blocks.2.attn1_mot_ref.to_q.weight")
    let wan = try WanBackbone(
      directory: Fixtures.path("wan-tiny/checkpoint"),
      additions: additions(self.plan(#""layers": "all", "coupling": "cross-attention""#)))
    #expect(wan.transformer.expertLayers == [0, 1, 2, 3, 4] && wan.transformer.coupling == .crossAttention)
    try expectPlan(wan, copied: "blocks.3.attn2_mot_ref.norm_added_k.weight")
  }

  @Test("a random start reads no weights")
  func randomStart() throws {
    let additions = additions(try plan(#""start": "random""#))
    let loader = ParameterLoader(try additions.weights("/nowhere"))
    _ = CogVideoXTransformer(loader.root, try backbone(TrainingPlan()).transformer)
    try loader.finish()
    #expect(loader.parameters.contains { $0.key.hasSuffix("pos_embedding") && $0.tensor.floats().contains { $0 != 0 } })
  }

  @Test("an expert's folder and a LoRA file change what the denoiser is built from")
  func additions() throws {
    let directory = try TemporaryDirectory()
    let store = try WeightStore(directory: Self.checkpoint + "/transformer")
    let experts = try store.names.filter { $0.contains("_mot_ref") }.map {
      (name: $0, tensor: try store.tensor(named: $0))
    }
    try directory.write(
      String(contentsOfFile: Self.checkpoint + "/transformer/config.json", encoding: .utf8),
      to: "expert/transformer/config.json")
    try SafetensorsWriter.write(
      experts, to: directory.file("expert/transformer/diffusion_pytorch_model.safetensors"))
    let expert = try TransformerAdditions(expert: directory.file("expert"), adapters: [])
    #expect(expert.expert?.hasSuffix("expert/transformer") == true)
    _ = try CogVideoXBackbone(directory: Self.checkpoint, additions: expert).loadDenoiser { _ in }
    #expect(throws: BackboneFailure.self) { try TransformerAdditions(expert: directory.path, adapters: []) }
    let file = try AdapterFile(path: Fixtures.path("couplings/pytorch_lora_weights.safetensors"))
    let adapted = try CogVideoXBackbone(
      directory: Self.checkpoint, additions: TransformerAdditions(expert: nil, adapters: [file]))
    _ = try adapted.loadDenoiser { _ in }
    #expect(try adapted.components().first?.name == "transformer")
  }
}
