import Foundation

/// A judge: which service and model, and how it is asked.
package struct JudgeSettings: Decodable, Sendable, Equatable {
  /// How a service is talked to.
  package enum Dialect: String, Decodable, Sendable, CaseIterable {
    /// Chat completions, as OpenAI's interface and its many imitations.
    case openAI = "openai"
    /// generateContent, as Google's interface.
    case gemini
  }

  /// How clips are shown.
  package enum Media: String, Decodable, Sendable, CaseIterable {
    /// Evenly chosen frames as pictures.
    case frames
    /// A small MP4 file.
    case video
  }

  /// What the judge's column is called.
  package var name = ""
  package var dialect = Dialect.openAI
  /// Up to where the dialect's own path begins, such as https://api.openai.com/v1.
  package var address = ""
  package var model = ""
  /// The environment variable that holds the key; nil for services without one.
  package var keyVariable: String?
  package var media = Media.frames
  /// Frames of each clip.
  package var frames = 12
  /// Shorter side in pixels of what is sent.
  package var side = 336
  /// nil leaves it to the service.
  package var temperature: Double?
  package var requestsPerMinute = 20.0
  /// Seconds until an answer that does not come counts as lost.
  package var timeout = 300.0
  /// US dollars for a million tokens.
  package var inputPrice: Double?
  package var outputPrice: Double?

  /// Settings that name no service yet, which `validate` refuses.
  package init() {}

  package init(name: String, dialect: Dialect, address: String, model: String) {
    self.name = name
    self.dialect = dialect
    self.address = address
    self.model = model
  }

  package enum CodingKeys: String, CodingKey, CaseIterable {
    case name, dialect, address, model
    case keyVariable = "key-variable"
    case media, frames, side, temperature
    case requestsPerMinute = "requests-per-minute"
    case timeout
    case inputPrice = "input-price"
    case outputPrice = "output-price"
  }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.decode(String.self, forKey: .name)
    dialect = try values.decode(Dialect.self, forKey: .dialect)
    address = try values.decode(String.self, forKey: .address)
    model = try values.decode(String.self, forKey: .model)
    keyVariable = try values.decodeIfPresent(String.self, forKey: .keyVariable)
    media = try values.decodeIfPresent(Media.self, forKey: .media) ?? media
    frames = try values.decodeIfPresent(Int.self, forKey: .frames) ?? frames
    side = try values.decodeIfPresent(Int.self, forKey: .side) ?? side
    temperature = try values.decodeIfPresent(Double.self, forKey: .temperature)
    requestsPerMinute = try values.decodeIfPresent(Double.self, forKey: .requestsPerMinute) ?? requestsPerMinute
    timeout = try values.decodeIfPresent(Double.self, forKey: .timeout) ?? timeout
    inputPrice = try values.decodeIfPresent(Double.self, forKey: .inputPrice)
    outputPrice = try values.decodeIfPresent(Double.self, forKey: .outputPrice)
  }

  /// Throws `JudgeFailure` naming the field. Keys must not go over the net in the clear, except to this machine.
  package func validate(path: String) throws(JudgeFailure) {
    func check(_ isRight: Bool, _ problem: String) throws(JudgeFailure) {
      if !isRight { throw .settings(path: path, problem: problem) }
    }
    try check(
      !name.isEmpty && name.utf8.allSatisfy { Self.nameBytes.contains($0) },
      "'name' must be of letters, digits, dots and hyphens")
    try check(!model.isEmpty, "'model' is empty")
    let url = URL(string: address)
    let host = url?.host ?? ""
    let isLocal = ["localhost", "127.0.0.1", "::1", "[::1]"].contains(host)
    try check(
      !host.isEmpty && (url?.scheme == "https" || url?.scheme == "http" && (isLocal || keyVariable == nil)),
      "'address' must begin with https:// (http:// only without a key or to this machine)")
    try check((1...64).contains(frames), "'frames' must be from 1 to 64")
    try check((64...2048).contains(side), "'side' must be from 64 to 2048")
    try check(requestsPerMinute > 0 && requestsPerMinute <= 100_000, "'requests-per-minute' must be positive")
    try check(timeout > 0 && timeout <= 3600, "'timeout' must be from 0 to 3600 seconds")
    try check(temperature.map { (0...2).contains($0) } ?? true, "'temperature' must be from 0 to 2")
  }

  private static let nameBytes = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_".utf8)
}
