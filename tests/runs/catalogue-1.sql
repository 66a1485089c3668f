BEGIN TRANSACTION;
CREATE TABLE checkpoint (
	run_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	images_seen INTEGER, 
	path TEXT NOT NULL, 
	bytes INTEGER, 
	milestone INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	PRIMARY KEY (run_id, step), 
	FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE ON UPDATE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "checkpoint" VALUES(1,10,80,'checkpoints/00000010',1000,0,'2026-11-23T10:00:00Z');
CREATE TABLE metric (
	run_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	images_seen INTEGER, 
	time REAL, 
	loss REAL, 
	learning_rate REAL, 
	gradient_norm REAL, 
	images_per_second REAL, 
	PRIMARY KEY (run_id, step), 
	FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE ON UPDATE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "metric" VALUES(1,10,80,1795428000.0,0.5,0.001,0.25,100.0);
INSERT INTO "metric" VALUES(4,10,80,1795428000.0,0.25,0.001,0.25,100.0);
CREATE TABLE record (
	run_id INTEGER NOT NULL, 
	notes TEXT NOT NULL, 
	error TEXT, 
	config TEXT NOT NULL, 
	config_stamp TEXT, 
	config_error TEXT, 
	planned_steps INTEGER, 
	provenance TEXT NOT NULL, 
	command TEXT NOT NULL, 
	requested_device TEXT, 
	bytes INTEGER, 
	progress TEXT NOT NULL, 
	events_offset INTEGER NOT NULL, 
	events_inode INTEGER, 
	PRIMARY KEY (run_id), 
	FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE ON UPDATE CASCADE
);
INSERT INTO "record" VALUES(1,'',NULL,'{"data":{"dataset":"digits"},"training":{"steps":1000},"sampling":{"count":64}}','1795453600106079816:74:2295511',NULL,1000,'{"host":"box","seed":0}','["ddpm-tui","train","digits"]','auto',1323,'{"step":10,"images_seen":80,"total_steps":1000,"device":"cpu","device_name":"a CPU","parameters":1234,"dataset_size":1797,"started_at":"2026-11-23T10:00:00Z","resumed_at":1795428000.0,"resumed_step":0,"ended_at":"2026-11-23T10:00:00Z","error":null,"notices":[],"frame":null,"frame_time":null,"bad_lines":0}',857,2295512);
INSERT INTO "record" VALUES(2,'',NULL,'{"data":{"dataset":"digits"},"training":{"steps":1000},"sampling":{"count":64}}','1795453600107319355:74:2295516',NULL,64,'{"host":"box","seed":0}','["ddpm-tui","train","digits"]','auto',867,'{"step":10,"images_seen":null,"total_steps":1000,"device":"cpu","device_name":"a CPU","parameters":1234,"dataset_size":1797,"started_at":"2026-11-23T10:00:00Z","resumed_at":1795428000.0,"resumed_step":10,"ended_at":"2026-11-23T10:00:00Z","error":null,"notices":[],"frame":null,"frame_time":null,"bad_lines":0}',318,2295517);
INSERT INTO "record" VALUES(3,'',NULL,'{"data":{"dataset":"digits"},"training":{"steps":1000},"sampling":{"count":64}}','1795453600108256340:74:2295521',NULL,1000,'{"host":"box","seed":0}','["ddpm-tui","train","digits"]','auto',1013,'{"step":10,"images_seen":null,"total_steps":1000,"device":"cpu","device_name":"a CPU","parameters":1234,"dataset_size":1797,"started_at":"2026-11-23T10:00:00Z","resumed_at":1795428000.0,"resumed_step":10,"ended_at":"2026-11-23T10:00:00Z","error":null,"notices":[],"frame":null,"frame_time":null,"bad_lines":0}',461,2295522);
INSERT INTO "record" VALUES(4,'',NULL,'{"data":{"dataset":"digits"},"training":{"steps":1000},"sampling":{"count":64},"evaluation":{"every":10}}','1795453600113699674:99:2295526',NULL,1000,'{"host":"box","seed":0}','["ddpm-tui","train","digits"]','auto',1125,'{"step":10,"images_seen":null,"total_steps":1000,"device":"cpu","device_name":"a CPU","parameters":1234,"dataset_size":1797,"started_at":"2026-11-23T10:00:00Z","resumed_at":1795428000.0,"resumed_step":0,"ended_at":"2026-11-23T10:00:00Z","error":null,"notices":[],"frame":null,"frame_time":null,"bad_lines":0}',631,2295527);
CREATE TABLE run (
	id INTEGER NOT NULL, 
	uuid TEXT NOT NULL, 
	name TEXT NOT NULL, 
	directory TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	status TEXT NOT NULL, 
	preset TEXT, 
	step INTEGER, 
	total_steps INTEGER, 
	images_seen INTEGER, 
	loss REAL, 
	images_per_second REAL, 
	fid REAL, 
	device TEXT, 
	created_at TEXT NOT NULL, 
	ended_at TEXT, 
	parent INTEGER, 
	tags TEXT NOT NULL, 
	seconds_left REAL, 
	parent_uuid TEXT, 
	search TEXT NOT NULL, 
	settled INTEGER, 
	info_stamp TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (uuid), 
	UNIQUE (name), 
	UNIQUE (directory)
);
INSERT INTO "run" VALUES(1,'55841297-853f-5be6-b0dc-a091611497ae','base','0001-base','train','finished','digits',10,1000,80,0.5,100.0,NULL,'cpu','2026-11-02T10:00:00Z','2026-11-23T11:00:00Z',NULL,'[]',NULL,NULL,'base
digits
train
#1',1795453600106789112,'1795453600106487989:306:2295513');
INSERT INTO "run" VALUES(2,'f5e9c1dc-0147-596d-a10e-b03fb54117b4','drawn','0002-drawn','sample','finished','digits',0,64,NULL,NULL,NULL,NULL,'cpu','2026-11-03T10:00:00Z','2026-11-23T11:00:00Z',1,'[]',NULL,'55841297-853f-5be6-b0dc-a091611497ae','drawn
digits
sample
#2',1795453600107832431,'1795453600107604980:389:2295518');
INSERT INTO "run" VALUES(3,'b58d7f2c-7e3b-5098-93a7-3e82b81c21d7','judged','0003-judged','evaluate','finished','digits',10,1000,NULL,NULL,NULL,NULL,'cpu','2026-11-04T10:00:00Z','2026-11-23T11:00:00Z',1,'[]',NULL,'55841297-853f-5be6-b0dc-a091611497ae','judged
digits
evaluate
#3',1795453600108937501,'1795453600108535766:392:2295523');
INSERT INTO "run" VALUES(4,'ce01f829-fa48-513e-9711-549357eece97','judging','0004-judging','train','finished','digits',10,1000,NULL,0.25,100.0,NULL,'cpu','2026-11-05T10:00:00Z','2026-11-23T11:00:00Z',NULL,'[]',NULL,NULL,'judging
digits
train
#4',1795453600114171266,'1795453600113633871:309:2295528');
CREATE TABLE sample (
	run_id INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	step INTEGER NOT NULL, 
	images_seen INTEGER, 
	count INTEGER, 
	seed INTEGER, 
	sampler TEXT, 
	sampler_steps INTEGER, 
	created_at TEXT NOT NULL, 
	PRIMARY KEY (run_id, path), 
	FOREIGN KEY(run_id) REFERENCES run (id) ON DELETE CASCADE ON UPDATE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "sample" VALUES(1,'samples/00000010.png',10,80,16,0,'ddim',50,'2026-11-23T10:00:00Z');
CREATE INDEX run_by_step ON run (step, id);
CREATE INDEX run_by_preset ON run (preset, id);
CREATE INDEX run_by_parent ON run (parent, id);
CREATE INDEX run_by_seconds_left ON run (seconds_left, id);
CREATE INDEX run_by_created_at ON run (created_at, id);
CREATE INDEX run_by_kind ON run (kind, id);
CREATE INDEX run_by_images_per_second ON run (images_per_second, id);
CREATE INDEX run_by_fid ON run (fid, id);
CREATE INDEX run_by_device ON run (device, id);
CREATE INDEX run_by_loss ON run (loss, id);
CREATE INDEX run_by_tags ON run (tags, id);
CREATE INDEX run_by_images_seen ON run (images_seen, id);
CREATE INDEX run_by_status ON run (status, id);
CREATE INDEX run_by_ended_at ON run (ended_at, id);
CREATE INDEX ix_run_parent_uuid ON run (parent_uuid);
CREATE INDEX run_by_total_steps ON run (total_steps, id);
COMMIT;
