#include "manager/store/models/records.h"

namespace dragonfly::manager::store::models {

template <>
const Table<Config>& TableOf<Config>() {
  using Row = Config;
  using T = Table<Row>;
  static const T table = T("config")
                             .Text("name", &Row::name, 256, T::kRequired)
                             .Text("value", &Row::value, 1024, T::kRequired)
                             .Text("bio", &Row::bio, 1024)
                             .Column("user_id", &Row::user_id, ColumnType::kReference)
                             .Unique("uk_config_name", {"name"});
  return table;
}

template <>
const Table<Application>& TableOf<Application>() {
  using Row = Application;
  using T = Table<Row>;
  static const T table = T("application")
                             .Text("name", &Row::name, 256, T::kRequired)
                             .Column("url", &Row::url, ColumnType::kLongText, T::kRequired)
                             .Text("bio", &Row::bio, 1024)
                             .Column("priority", &Row::priority, ColumnType::kJson, T::kRequired)
                             .Column("user_id", &Row::user_id, ColumnType::kReference)
                             .Unique("uk_application_name", {"name"});
  return table;
}

// The last two indexes are ours: lists are ordered by age, and old rows are looked for.
template <>
const Table<Job>& TableOf<Job>() {
  using Row = Job;
  using T = Table<Row>;
  static const T table = T("job")
                             .Text("task_id", &Row::task_id, 256, T::kRequired)
                             .Text("bio", &Row::bio, 1024)
                             .Text("type", &Row::type, 256)
                             .Text("state", &Row::state, 256, T::kRequired, "'PENDING'")
                             .Column("args", &Row::args, ColumnType::kJson, T::kRequired)
                             .Column("task_result", &Row::task_result, ColumnType::kJson)
                             .Column("user_id", &Row::user_id, ColumnType::kReference)
                             .Index("idx_job_created_at", {"created_at"})
                             .Index("idx_job_type_created_at", {"type", "created_at"})
                             .Dependent("job_seed_peer_cluster", "job_id")
                             .Dependent("job_scheduler_cluster", "job_id");
  return table;
}

template <>
const Table<Audit>& TableOf<Audit>() {
  using Row = Audit;
  using T = Table<Row>;
  static const T table = T("audit")
                             .Text("actor_type", &Row::actor_type, 256, T::kRequired)
                             .Text("actor_name", &Row::actor_name, 256, T::kRequired)
                             .Text("event_type", &Row::event_type, 100, T::kRequired)
                             .Text("operation", &Row::operation, 256, T::kRequired)
                             .Column("operated_at", &Row::operated_at, ColumnType::kTimeSeconds,
                                     T::kNullable, "CURRENT_TIMESTAMP")
                             .Text("state", &Row::state, 100, T::kRequired)
                             .Text("path", &Row::path, 1024)
                             .Column("status_code", &Row::status_code, ColumnType::kInteger)
                             .Column("detail", &Row::detail, ColumnType::kJson)
                             .Index("idx_audit_created_at", {"created_at"});
  return table;
}

}  // namespace dragonfly::manager::store::models
