import Checkpoints
import TestSupport
import Testing

@testable import Schedulers

@Suite("Scheduler configuration")
struct SchedulerConfigurationTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func decode(_ json: String) throws -> SchedulerConfiguration {
    try ConfigFile.decode(SchedulerConfiguration.self, at: directory.write(json, to: "scheduler_config.json"))
  }

  private static let published = """
    {"_class_name": "CogVideoXDDIMScheduler", "_diffusers_version": "0.34.0.dev0", "beta_end": 0.012,
     "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": false, "clip_sample_range": 1.0,
     "num_train_timesteps": 1000, "prediction_type": "v_prediction", "rescale_betas_zero_snr": true,
     "sample_max_value": 1.0, "set_alpha_to_one": true, "snr_shift_scale": 1.0, "steps_offset": 0,
     "timestep_spacing": "trailing", "trained_betas": null}
    """

  @Test("The published file decodes to its values")
  func publishedFile() throws {
    #expect(try decode(Self.published) == .ddim(publishedDiffusion))
  }

  @Test("The class decides the method, and absent or null fields take its defaults")
  func classes() throws {
    #expect(try decode(#"{"_class_name": "CogVideoXDPMScheduler"}"#) == .dpm(DiffusionConfiguration()))
    #expect(
      try decode(#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift_terminal": null}"#)
        == .flowMatchEuler(FlowConfiguration()))
    var flow = FlowConfiguration()
    flow.shift = 3
    #expect(
      try decode(#"{"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0, "invert_sigmas": false}"#)
        == .flowMatchEuler(flow))
    var unipc = UniPCConfiguration()
    unipc.shift = 3
    #expect(try decode(Self.unipc()) == .unipc(unipc))
  }

  /// The published base model's file, one field of it changed.
  private static func unipc(_ field: String = "solver_p", _ value: String = "null") -> String {
    var fields = [
      "_class_name": #""UniPCMultistepScheduler""#, "flow_shift": "3.0", "use_flow_sigmas": "true",
      "prediction_type": #""flow_prediction""#,
    ]
    fields[field] = value
    return "{" + fields.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}"
  }

  @Test("Flow matching is sampled by Euler's method or UniPC, and by neither diffusion method")
  func otherMethods() throws {
    let unipc = try decode(Self.unipc())
    guard case .flowMatchEuler(let euler)? = unipc.using(.euler) else {
      Issue.record("no Euler's method for UniPC's schedule")
      return
    }
    #expect(euler.shift == 3)
    #expect(SchedulerConfiguration.flowMatchEuler(euler).using(.unipc) == unipc)
    #expect(unipc.using(.unipc) == unipc)
    #expect(unipc.using(.ddim) == nil)
    #expect(SchedulerConfiguration.ddim(publishedDiffusion).using(.unipc) == nil)
  }

  @Test(
    "UniPC is refused where it would not sample flow matching as it is published",
    arguments: [
      ("use_flow_sigmas", "false"), ("prediction_type", #""epsilon""#), ("predict_x0", "false"),
      ("thresholding", "true"), ("final_sigmas_type", #""sigma_min""#), ("solver_order", "4"), ("solver_order", "0"),
      ("solver_type", #""bh3""#), ("flow_shift", "0"), ("use_karras_sigmas", "true"),
    ])
  func unipcRefusals(field: String, value: String) throws {
    let error = try #require(throws: ConfigError.self) { try decode(Self.unipc(field, value)) }
    guard case .invalid(field, _) = error.problem else {
      Issue.record("\(error.message)")
      return
    }
  }

  @Test("Each configuration makes the scheduler of its class")
  func schedulers() throws {
    #expect(try SchedulerConfiguration.ddim(publishedDiffusion).scheduler(steps: 2) is DDIMScheduler)
    #expect(try SchedulerConfiguration.dpm(publishedDiffusion).scheduler(steps: 2) is DPMScheduler)
    #expect(try SchedulerConfiguration.flowMatchEuler(.init()).scheduler(steps: 2) is FlowMatchEulerScheduler)
    #expect(try SchedulerConfiguration.unipc(.init()).scheduler(steps: 2) is UniPCScheduler)
  }

  struct Refusal: CustomTestStringConvertible {
    let json: String
    let field: String
    var className = "CogVideoXDDIMScheduler"
    var testDescription: String { json }
  }

  @Test(
    "Unusable values are refused by the name of their field",
    arguments: [
      Refusal(json: #""num_train_timesteps": 0"#, field: "num_train_timesteps"),
      Refusal(json: #""num_train_timesteps": -1000"#, field: "num_train_timesteps"),
      Refusal(json: #""num_train_timesteps": 1000000000000"#, field: "num_train_timesteps"),
      Refusal(json: #""beta_start": 0"#, field: "beta_start"),
      Refusal(json: #""beta_start": 1.5"#, field: "beta_start"),
      Refusal(json: #""beta_end": 1"#, field: "beta_end"),
      Refusal(json: #""beta_start": 0.5, "beta_end": 0.1"#, field: "beta_end"),
      Refusal(json: #""beta_start": 1e-300"#, field: "beta_schedule"),
      Refusal(json: #""beta_schedule": "cosine""#, field: "beta_schedule"),
      Refusal(json: #""trained_betas": [0.1]"#, field: "trained_betas"),
      Refusal(json: #""num_train_timesteps": 2, "trained_betas": [0.1, 1]"#, field: "trained_betas"),
      Refusal(json: #""snr_shift_scale": 0"#, field: "snr_shift_scale"),
      Refusal(json: #""snr_shift_scale": 1e-30"#, field: "beta_schedule"),
      Refusal(json: #""steps_offset": -1"#, field: "steps_offset"),
      Refusal(json: #""steps_offset": 1000"#, field: "steps_offset"),
      Refusal(json: #""timestep_spacing": "random""#, field: "timestep_spacing"),
      Refusal(json: #""prediction_type": "flow_prediction""#, field: "prediction_type"),
      Refusal(json: #""shift": 0"#, field: "shift", className: "FlowMatchEulerDiscreteScheduler"),
      Refusal(json: #""shift": 1e9"#, field: "shift", className: "FlowMatchEulerDiscreteScheduler"),
      Refusal(
        json: #""num_train_timesteps": 0"#, field: "num_train_timesteps", className: "FlowMatchEulerDiscreteScheduler"),
      Refusal(json: #""shift_terminal": 0.1"#, field: "shift_terminal", className: "FlowMatchEulerDiscreteScheduler"),
      Refusal(
        json: #""use_dynamic_shifting": true"#, field: "use_dynamic_shifting",
        className: "FlowMatchEulerDiscreteScheduler"),
      Refusal(
        json: #""use_karras_sigmas": true"#, field: "use_karras_sigmas", className: "FlowMatchEulerDiscreteScheduler"),
      Refusal(json: #""clip_sample": true"#, field: "_class_name", className: "PNDMScheduler"),
    ])
  func refusals(_ refusal: Refusal) throws {
    let error = try #require(throws: ConfigError.self) {
      try decode(#"{"_class_name": "\#(refusal.className)", \#(refusal.json)}"#)
    }
    guard case .invalid(let field, _) = error.problem else {
      Issue.record("\(error.message)")
      return
    }
    #expect(field == refusal.field, "\(error.message)")
  }

  @Test("A missing class and values of the wrong type are named")
  func malformed() {
    #expect { try decode("{}") } throws: { ($0 as? ConfigError)?.problem == .missing(field: "_class_name") }
    #expect {
      try decode(#"{"_class_name": "CogVideoXDDIMScheduler", "beta_start": "small"}"#)
    } throws: {
      ($0 as? ConfigError)?.problem == .wrongType(field: "beta_start", expected: "a number")
    }
  }
}
